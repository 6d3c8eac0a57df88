import { type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import type { MemberId, TeamId } from "../names.ts";
import { type Member, noSuchMember } from "./member.ts";
import { findMember, findMembers } from "./member-store.ts";
import type { TeamRoom } from "./room.ts";

/** The member, also one that is in no team any more. */
export async function getMember(room: TeamRoom, member: MemberId): Promise<Member> {
  const found = await findMember(room.changing.database, member);
  if (found === undefined) throw noSuchMember(member);
  return found;
}

/** All members, by id; with a team, those who are in it. */
export async function listMembers(
  room: TeamRoom,
  filter: { readonly team: TeamId | undefined },
  page: PageRequest,
): Promise<Page<Member>> {
  const listing = { name: "members", filter: { team: filter.team ?? "" }, key: [/^[a-z0-9_.@-]{1,64}$/] };
  const [after = ""] = readPageToken(listing, page.token) ?? [];
  const found = await findMembers(room.changing.database, filter.team, after, page.size + 1);
  return pageOf(listing, page.size, found, (member) => [member.id]);
}
