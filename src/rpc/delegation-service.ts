import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { delegate, undelegate } from "../trust/delegate.ts";
import { listDelegations } from "../trust/delegation-list.ts";
import { getDelegation } from "../trust/delegation-view.ts";
import { getRollout } from "../trust/rollout-view.ts";
import type { TrustRoom } from "../trust/room.ts";
import { asOfNow } from "./as-of-now.ts";
import {
  parseDelegate,
  parseGetDelegation,
  parseGetRollout,
  parseListDelegations,
  parseUndelegate,
} from "./delegation-requests.ts";
import { delegationToWire } from "./delegation-wire.ts";
import type { Edge } from "./edge.ts";
import { implement } from "./implement.ts";
import { outcomeToWire, publicationToWire, rolloutToWire } from "./outcome-wire.ts";
import { listFitting } from "./page.ts";
import { encodeOnce } from "./per-object.ts";
import type { ServedService } from "./served-service.ts";

/** Serves imagetrust.v1.DelegationService. */
export function delegationService(edge: Edge, room: TrustRoom): ServedService {
  const { database } = room.changing;
  const service = {
    ...DelegationServiceService,
    listDelegations: encodeOnce(DelegationServiceService.listDelegations),
    getRollout: encodeOnce(DelegationServiceService.getRollout),
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
  });
}
