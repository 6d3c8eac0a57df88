import { ExpiringKind, ExpiryServiceService, type Expiring as WireExpiring } from "../../gen/imagetrust/v1/expiry.ts";
import type { Database } from "../database.ts";
import { listExpiring } from "../trust/expiry/expiring.ts";
import type { Expiring } from "../trust/expiry/expiring-store.ts";
import type { Edge } from "./edge.ts";
import { parseListExpiring } from "./expiry-requests.ts";
import { implement } from "./implement.ts";
import { listFitting } from "./page.ts";
import type { ServedService } from "./served-service.ts";

/** Serves imagetrust.v1.ExpiryService. */
export function expiryService(edge: Edge, database: Database): ServedService {
  return implement(edge, ExpiryServiceService, {
    listExpiring: (request) => {
      const { filter, page } = parseListExpiring(request);
      return listFitting(ExpiryServiceService.listExpiring, page, async (fitting) => {
        const { items, nextToken } = await listExpiring(database, filter, fitting);
        return { items: items.map(expiringToWire), nextPageToken: nextToken };
      });
    },
  });
}

function expiringToWire({ kind, name, role, version, member, endsAt, renewedByService }: Expiring): WireExpiring {
  const [gun, certificate] = kind === "CERTIFICATE" ? ["", name] : [name, ""];
  return { kind: ExpiringKind[kind], gun, role, version, member, certificate, expireTime: endsAt, renewedByService };
}
