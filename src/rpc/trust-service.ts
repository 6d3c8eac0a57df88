import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import type { ChangeSignals } from "../trust/change-signals.ts";
import { deleteTrust } from "../trust/delete-trust.ts";
import { initializeTrust } from "../trust/initialize.ts";
import type { TrustRoom } from "../trust/room.ts";
import { awaitTrust, readTrust } from "../trust/trust-reading.ts";
import { listTrusts, type Trust } from "../trust/trust-view.ts";
import { asOfNow } from "./as-of-now.ts";
import { answerBy } from "./call-time.ts";
import type { Edge } from "./edge.ts";
import { implement } from "./implement.ts";
import { outcomeToWire } from "./outcome-wire.ts";
import { listFitting } from "./page.ts";
import { encodeOnce, perObject } from "./per-object.ts";
import type { ServedService } from "./served-service.ts";
import {
  type GetTrust,
  parseDeleteTrust,
  parseGetTrust,
  parseInitializeTrust,
  parseListTrusts,
} from "./trust-requests.ts";
import { type NotaryUrls, trustToWire } from "./trust-wire.ts";

export interface TrustServiceParts {
  readonly room: TrustRoom;
  readonly signals: ChangeSignals;
  readonly notaryUrls: NotaryUrls;
}

/** Serves imagetrust.v1.TrustService. */
export function trustService(edge: Edge, { room, signals, notaryUrls }: TrustServiceParts): ServedService {
  const { reader } = room;
  const { database } = room.changing;
  const toWire = (trust: Trust | undefined) => trust && trustToWire(trust, notaryUrls);
  // The reader gives the same object while nothing changed.
  const answerWith = perObject((trust: Trust) => ({ trust: toWire(trust) }));
  const service = {
    ...TrustServiceService,
    getTrust: encodeOnce(TrustServiceService.getTrust),
    listTrusts: encodeOnce(TrustServiceService.listTrusts),
  };
  return implement(edge, service, {
    initializeTrust: async (request, call) => {
      const parsed = parseInitializeTrust(request, room.keyBackends);
      const { outcome } = await initializeTrust(room, call, parsed);
      return { trust: toWire(await asOfNow(readTrust(reader, parsed.gun))), outcome: outcomeToWire(outcome) };
    },
    getTrust: async (request, call) => {
      const { gun, ...wanted } = parseGetTrust(request);
      if (!isWaiting(wanted)) return answerWith(await readTrust(reader, gun));
      const wait = { ...wanted, until: answerBy(call), signal: call.signal };
      return answerWith(await awaitTrust(database, reader, signals, gun, wait));
    },
    listTrusts: (request) => {
      const { filter, page } = parseListTrusts(request);
      return listFitting(service.listTrusts, page, async (fitting) => {
        const { items, nextToken } = await listTrusts(database, filter, fitting);
        return { trusts: items.map((trust) => trustToWire(trust, notaryUrls)), nextPageToken: nextToken };
      });
    },
    deleteTrust: async (request, call) => {
      const parsed = parseDeleteTrust(request);
      const { outcome } = await deleteTrust(room, call, parsed);
      return { trust: toWire(await asOfNow(readTrust(reader, parsed.gun))), outcome: outcomeToWire(outcome) };
    },
  });
}

function isWaiting(wanted: Omit<GetTrust, "gun">): boolean {
  return wanted.generation > 0n || wanted.teamRevisions.length > 0;
}
