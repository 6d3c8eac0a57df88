import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { listAuthority } from "../trust/authority/authority.ts";
import type { ChangeSignals } from "../trust/change-signals.ts";
import { delegate, undelegate } from "../trust/delegate.ts";
import { listDelegations } from "../trust/delegation-list.ts";
import { getDelegation } from "../trust/delegation-view.ts";
import { batchDelegate } from "../trust/rollouts/batch-delegate.ts";
import { cancelRollout } from "../trust/rollouts/cancel-rollout.ts";
import { getRollout, listRollouts } from "../trust/rollouts/rollout-view.ts";
import { watchRollout } from "../trust/rollouts/rollout-watch.ts";
import type { TrustRoom } from "../trust/room.ts";
import { createDelegationRule } from "../trust/rules/create-rule.ts";
import { deleteDelegationRule } from "../trust/rules/delete-rule.ts";
import { listDelegationRules } from "../trust/rules/list-rules.ts";
import { findRule } from "../trust/rules/rule-store.ts";
import { asOfNow } from "./as-of-now.ts";
import { parseListAuthority } from "./authority-requests.ts";
import { authorityToWire } from "./authority-wire.ts";
import { answerBy, streamSignal } from "./call-time.ts";
import {
  parseBatchDelegate,
  parseCancelRollout,
  parseDelegate,
  parseGetDelegation,
  parseGetRollout,
  parseListDelegations,
  parseListRollouts,
  parseUndelegate,
  parseWatchRollout,
} from "./delegation-requests.ts";
import { delegationToWire, ruleToWire } from "./delegation-wire.ts";
import type { Edge } from "./edge.ts";
import { implement } from "./implement.ts";
import { outcomeToWire, publicationToWire, rolloutToWire } from "./outcome-wire.ts";
import { listFitting } from "./page.ts";
import { encodeOnce } from "./per-object.ts";
import { permitEvery } from "./permit-every.ts";
import { parseCreateDelegationRule, parseDeleteDelegationRule, parseListDelegationRules } from "./rule-requests.ts";
import type { ServedService } from "./served-service.ts";

/** Serves imagetrust.v1.DelegationService. */
export function delegationService(edge: Edge, room: TrustRoom, signals: ChangeSignals): ServedService {
  const { database } = room.changing;
  const service = {
    ...DelegationServiceService,
    listDelegations: encodeOnce(DelegationServiceService.listDelegations),
    getRollout: encodeOnce(DelegationServiceService.getRollout),
    listAuthority: encodeOnce(DelegationServiceService.listAuthority),
    listDelegationRules: encodeOnce(DelegationServiceService.listDelegationRules),
  };
  return implement(edge, service, {
    delegate: async (request, call) => {
      const parsed = parseDelegate(request);
      const { outcome } = await delegate(room, call, parsed);
      const delegation = await asOfNow(getDelegation(database, parsed.gun, parsed.team));
      return { delegation: delegation && delegationToWire(delegation), outcome: outcomeToWire(outcome) };
    },
    undelegate: async (request, call) => {
      const { outcome } = await undelegate(room, call, parseUndelegate(request));
      return { outcome: outcomeToWire(outcome) };
    },
    getDelegation: async (request) => {
      const { gun, team } = parseGetDelegation(request);
      return { delegation: delegationToWire(await getDelegation(database, gun, team)) };
    },
    listDelegations: (request) => {
      const { filter, page } = parseListDelegations(request);
      return listFitting(service.listDelegations, page, async (fitting) => {
        const { items, nextToken } = await listDelegations(database, room.reader, filter, fitting);
        return { delegations: items.map(delegationToWire), nextPageToken: nextToken };
      });
    },
    getRollout: (request) => {
      const { query, page } = parseGetRollout(request);
      return listFitting(service.getRollout, page, async (fitting) => {
        const { rollout, publications } = await getRollout(database, query, fitting);
        return {
          rollout: rolloutToWire(rollout),
          publications: publications.items.map(publicationToWire),
          nextPageToken: publications.nextToken,
        };
      });
    },
    batchDelegate: async (request, call) => {
      const permit = permitEvery(edge, call, "BatchDelegate");
      const { outcome } = await batchDelegate(room, call, parseBatchDelegate(request), permit);
      return { outcome: outcomeToWire(outcome) };
    },
    listRollouts: async (request) => {
      const { filter, page } = parseListRollouts(request);
      const { items, nextToken } = await listRollouts(database, filter, page);
      return { rollouts: items.map(rolloutToWire), nextPageToken: nextToken };
    },
    watchRollout: async function* (request, call) {
      const id = parseWatchRollout(request);
      const watch = watchRollout(database, signals, id, answerBy(call), streamSignal(edge, call));
      for await (const { rollout, failures } of watch) {
        yield { rollout: rolloutToWire(rollout), failures: failures.map(publicationToWire) };
      }
    },
    cancelRollout: async (request, call) => {
      const parsed = parseCancelRollout(request);
      // Whoever may make a batch may stop it.
      const { outcome } = await cancelRollout(room, call, parsed, permitEvery(edge, call, "BatchDelegate"));
      const found = await asOfNow(getRollout(database, { id: parsed.id, states: [] }, { size: 1, token: "" }));
      return { rollout: found && rolloutToWire(found.rollout), outcome: outcomeToWire(outcome) };
    },
    listAuthority: (request, call) => {
      const { question, page } = parseListAuthority(request);
      const now = room.changing.now();
      return listFitting(service.listAuthority, page, async (fitting) =>
        authorityToWire(await listAuthority(database, call.actor.id, question, fitting, now)),
      );
    },
    createDelegationRule: async (request, call) => {
      const parsed = parseCreateDelegationRule(request);
      const { outcome } = await createDelegationRule(room, call, parsed, permitEvery(edge, call, "BatchDelegate"));
      const rule = await findRule(database, parsed.gunPrefix, parsed.team);
      return { rule: rule?.validTo === null ? ruleToWire(rule) : undefined, outcome: outcomeToWire(outcome) };
    },
    deleteDelegationRule: async (request, call) => {
      const permit = permitEvery(edge, call, "Undelegate");
      const { outcome } = await deleteDelegationRule(room, call, parseDeleteDelegationRule(request), permit);
      return { outcome: outcomeToWire(outcome) };
    },
    listDelegationRules: (request) => {
      const { filter, page } = parseListDelegationRules(request);
      return listFitting(service.listDelegationRules, page, async (fitting) => {
        const { items, nextToken } = await listDelegationRules(database, filter, fitting);
        return { rules: items.map(ruleToWire), nextPageToken: nextToken };
      });
    },
  });
}
