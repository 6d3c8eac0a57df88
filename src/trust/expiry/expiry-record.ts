import type { RecordDraft, Subject } from "../../audit/record.ts";
import type { Gun } from "../../names.ts";
import type { Notice } from "./expiry-notices-store.ts";

/** The record of an end that draws near: on its key for a certificate, on its repository for a file. */
export function expiryRecord(notice: Notice): RecordDraft {
  const { kind, name, role, version, member, endsAt, days } = notice;
  const isCertificate = kind === "CERTIFICATE";
  const end = endsAt.toISOString();
  return {
    eventType: isCertificate ? "certificate.expiring.v1" : "delegation.expiring.v1",
    stage: "RESULT",
    severity: days <= 7 ? "WARNING" : "NOTICE",
    subject: isCertificate ? { type: "key", id: notice.key ?? "" } : { type: "gun", id: name },
    about: isCertificate ? [{ type: "member", id: member }, ...notice.teams.map(teamSubject)] : teamsOfRole(role),
    result: "OK",
    resultReason: "",
    gun: isCertificate ? undefined : (name as Gun),
    change: {
      before: null,
      after: isCertificate
        ? { certificate: name, member, canonical_key_id: notice.key, not_after: end, days }
        : { gun: name, role, version, expires: end, days },
      diff: [
        isCertificate
          ? `certificate ${name} of member ${member} ends at ${end}, ${leftWords(days)}; replace it by one of a new key`
          : `${role} of ${name}, version ${version}, ends at ${end}, ${leftWords(days)}; a member must sign it again`,
      ],
    },
    publication: undefined,
  };
}

function leftWords(days: number): string {
  return days === 0 ? "on this day or before" : `within ${days} days`;
}

/** The role of releases belongs to every included team. */
function teamsOfRole(role: string): readonly Subject[] {
  return role === "targets/releases" ? [] : [teamSubject(role.replace(/^targets\//, ""))];
}

function teamSubject(id: string): Subject {
  return { type: "team", id };
}
