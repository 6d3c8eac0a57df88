import { AuthorityAxis, type ListAuthorityRequest } from "../../gen/imagetrust/v1/delegation.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { parseGun, parseGunPrefix, parseMemberId, parseTeamId } from "../names.ts";
import type { ListAuthority } from "../trust/authority/authority.ts";
import { parseKeyName } from "../trust/authority/right.ts";

import { parseEnum, parseFilter, parseInstant, readFields, right, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

const subjects = ["gun", "team", "member", "key"] as const;

export function parseListAuthority(request: ListAuthorityRequest): {
  readonly question: ListAuthority;
  readonly page: PageRequest;
} {
  return readFields((read) => {
    if (subjects.every((field) => request[field] === "")) {
      for (const field of subjects) read(field, wrong("must be given, or another of gun, team, member and key"));
    }
    const isUnsaid = request.axis === AuthorityAxis.UNSPECIFIED;
    return {
      question: {
        gun: read("gun", parseFilter(request.gun, parseGun, "" as const)),
        team: read("team", parseFilter(request.team, parseTeamId, "" as const)),
        member: read("member", parseFilter(request.member, parseMemberId, "" as const)),
        key: read("key", parseFilter(request.key, parseKeyName, "" as const)),
        gunPrefix: read("gun_prefix", parseGunPrefix(request.gunPrefix)),
        axis: read("axis", isUnsaid ? right("DECIDED" as const) : parseEnum(AuthorityAxis, request.axis)),
        asOf: read("as_of", parseInstant(request.asOf)),
      },
      page: readPage(read, request),
    };
  });
}
