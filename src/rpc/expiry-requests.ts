import { ExpiringKind, type ListExpiringRequest } from "../../gen/imagetrust/v1/expiry.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { parseGunPrefix, parseTeamId } from "../names.ts";
import type { ExpiringFilter } from "../trust/expiry/expiring-store.ts";
import { parseEnum, parseFilter, parseInstant, readEach, readFields } from "./fields.ts";
import { readPage } from "./page.ts";

export function parseListExpiring(request: ListExpiringRequest): {
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
