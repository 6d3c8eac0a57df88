import { type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import type { MemberId, TeamId } from "../names.ts";
import type { Certificate, CertificateState } from "./certificate.ts";
import { findCertificates, withState } from "./certificate-store.ts";
import type { TeamRoom } from "./room.ts";

export interface CertificateQuery {
  readonly member: MemberId | undefined;
  /** Certificates of the members who are in the team now. */
  readonly team: TeamId | undefined;
  /** As of now; empty for every state. */
  readonly states: readonly CertificateState[];
  /** Only those of keys of which possession was never proved. */
  readonly unproven?: boolean;
}

/** Certificates by member and in the order of their submission, revoked ones included. */
export async function listCertificates(
  room: TeamRoom,
  query: CertificateQuery,
  page: PageRequest,
): Promise<Page<Certificate>> {
  const listing = {
    name: "certificates",
    filter: {
      member: query.member ?? "",
      team: query.team ?? "",
      states: query.states,
      unproven: String(query.unproven === true),
    },
    key: [/^[a-z0-9_.@-]{1,64}$/, /^[0-9]{1,13}$/, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
  };
  const now = room.changing.now();
  const key = readPageToken(listing, page.token);
  const [member = "", submitted = "", id = ""] = key ?? [];
  const after = key === undefined ? undefined : { member, submittedAt: new Date(Number(submitted)), id };
  const found = await findCertificates(room.changing.database, query, after, page.size + 1, now);
  const { items, nextToken } = pageOf(listing, page.size, found, (certificate) => [
    certificate.member,
    String(certificate.createdAt.getTime()),
    certificate.id,
  ]);
  return { items: items.map((certificate) => withState(certificate, now)), nextToken };
}
