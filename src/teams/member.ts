import type { Json } from "../audit/record.ts";
import { Fault } from "../errors.ts";
import type { MemberId, TeamId } from "../names.ts";
import type { DisplayName } from "./display-name.ts";
import type { Labels } from "./labels.ts";

export type MemberKind = "PERSON" | "ROBOT";

/** A person or robot that owns keys, which count in all its teams; see imagetrust.v1.Member. */
export interface Member {
  readonly id: MemberId;
  readonly displayName: DisplayName;
  readonly kind: MemberKind;
  readonly labels: Labels;
  /** The teams it is in, by id. */
  readonly teams: readonly TeamId[];
  /** Changes with the member itself, its memberships, its keys and certificates; the deletion of a team does not count. */
  readonly etag: string;
  readonly createdAt: Date;
}

/** A member as records show it: without its display name, which may have to be erased some day. */
export function recordedMember(member: Pick<Member, "id" | "kind" | "teams">): Json {
  return { member: member.id, kind: member.kind, teams: member.teams };
}

export function noSuchMember(member: MemberId): Fault {
  return new Fault("NOT_FOUND", `There is no member ${member}; add it to a team first.`, { metadata: { member } });
}
