import type { Json, RecordDraft } from "../audit/record.ts";
import type { Gun, TeamId } from "../names.ts";
import type { DesiredCollection } from "./desired.ts";

/** The record of a decision about one delegation. */
export function delegationRecord(
  request: { readonly gun: Gun; readonly team: TeamId },
  eventType: string,
  change: RecordDraft["change"],
): RecordDraft {
  return {
    eventType,
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "gun", id: request.gun },
    about: [{ type: "team", id: request.team }],
    result: "OK",
    resultReason: "",
    gun: request.gun,
    change,
    publication: undefined,
  };
}

/** A team's delegation as records show it; null where there is none. */
export function recordedDelegation(desired: DesiredCollection, team: TeamId): Json {
  const found = desired.delegations.find((delegation) => delegation.team === team);
  if (found === undefined) return null;
  return {
    team,
    paths: found.paths,
    in_releases: found.inReleases,
    keys: found.certificates.map((certificate) => ({
      member: certificate.member,
      tuf_key_id: certificate.tufKeyId,
      canonical_key_id: certificate.canonicalKeyId,
    })),
  };
}
