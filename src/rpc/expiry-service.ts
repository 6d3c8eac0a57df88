import {
  ExpiringKind,
  ExpiryServiceService,
  type ListExpiringRequest,
  type Expiring as WireExpiring,
} from "../../gen/imagetrust/v1/expiry.ts";
import type { PageRequest } from "../changes/page-token.ts";
import type { Database } from "../database.ts";
import { parseGunPrefix, parseTeamId } from "../names.ts";
import { listExpiring } from "../trust/expiry/expiring.ts";
import type { Expiring, ExpiringFilter } from "../trust/expiry/expiring-store.ts";
import type { Edge } from "./edge.ts";
import { parseEnum, parseFilter, parseInstant, readEach, readFields } from "./fields.ts";
import { implement } from "./implement.ts";
import { listFitting, readPage } from "./page.ts";
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

function parseListExpiring(request: ListExpiringRequest): {
  readonly filter: ExpiringFilter;
  readonly page: PageRequest;
} {
  return readFields((read) => ({
    filter: {
      until: read("until_time", parseInstant(request.untilTime)),
      gunPrefix: read("gun_prefix", parseGunPrefix(request.gunPrefix)),
      team: read("team", parseFilter(request.team, parseTeamId, "")),
      kinds: readEach(read, "kinds", request.kinds, 100, (kind, path) => read(path, parseEnum(ExpiringKind, kind))),
    },
    page: readPage(read, request),
  }));
}

function expiringToWire({ kind, name, role, version, member, endsAt, renewedByService }: Expiring): WireExpiring {
  const [gun, certificate] = kind === "CERTIFICATE" ? ["", name] : [name, ""];
  return { kind: ExpiringKind[kind], gun, role, version, member, certificate, expireTime: endsAt, renewedByService };
}
