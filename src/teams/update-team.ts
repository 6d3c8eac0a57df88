import type { Call } from "../audit/call.ts";
import { makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { nothingToPublish, type Outcome } from "../changes/outcome.ts";
import { type Plan, quietPlan } from "../changes/plan.ts";
import type { Transaction } from "../database.ts";
import type { TeamId } from "../names.ts";
import { requireEtag } from "./etag.ts";
import { areSameLabels } from "./labels.ts";
import { recordOf, teamSubject } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import { signingCertificatesOf } from "./signing-certificates-store.ts";
import { unprovenKeysOf } from "./signing-key-store.ts";
import { noSuchTeam, recordedTeam, type StoredTeam, type Team, takesProvedKeys } from "./team.ts";
import { type Attributes, updateAttributes } from "./team-store.ts";
import { getTeam, lockedTeam, same } from "./teams.ts";

export interface UpdateTeam {
  readonly team: TeamId;
  /** What changes, and to what; the rest stays. */
  readonly attributes: Partial<Attributes>;
}

/**
 * Changes a team's name, labels or rule on proofs of possession. Keys that may sign for it still may: where proofs are required from
 * now on, the plan warns of each key that was never proved. A team that is so already is UNCHANGED, a deleted one NOT_FOUND.
 */
export async function updateTeam(
  room: TeamRoom,
  call: Call,
  request: UpdateTeam,
  options: ChangeOptions,
): Promise<{ readonly team: Team; readonly outcome: Outcome }> {
  const { outcome } = await makeChange(room.changing, call, options, async (tx) => {
    const team = await lockedTeam(tx, request.team);
    if (team.deletedAt !== undefined) throw noSuchTeam(team.id);
    requireEtag(options, team.version);
    const after = { ...team, ...request.attributes };
    const words = differences(team, after);
    if (words.length === 0) return same(team, `Team ${team.id} is so already.`);
    const plan = await planOf(tx, team, after);
    await updateAttributes(tx, team.id, after);
    const weakened = team.requiresPossessionProof && !after.requiresPossessionProof;
    return {
      plan,
      changed: true,
      record: recordOf({
        eventType: "team.updated.v1",
        severity: weakened ? "WARNING" : "NOTICE",
        subject: teamSubject(team.id),
        about: [],
        before: recordedTeam(team),
        after: recordedTeam(after),
        diff: [...words, ...plan.warnings.map((warning) => warning.message)],
      }),
      commitment: nothingToPublish,
      resource: team.id,
    };
  });
  return { team: await getTeam(room, request.team), outcome };
}

function differences(before: StoredTeam, after: StoredTeam): readonly string[] {
  const rule = after.requiresPossessionProof
    ? takesProvedKeys(after.id)
    : `team ${after.id} takes keys without a proof of possession from now on`;
  return [
    ...(before.displayName === after.displayName ? [] : [`team ${after.id} renamed`]),
    ...(areSameLabels(before.labels, after.labels) ? [] : [`team ${after.id} labelled anew`]),
    ...(before.requiresPossessionProof === after.requiresPossessionProof ? [] : [rule]),
  ];
}

/** Nobody loses anything by the change; the warnings name what a stricter rule does not reach. */
async function planOf(tx: Transaction, before: StoredTeam, after: StoredTeam): Promise<Plan> {
  const plan = quietPlan(`Team ${after.id} changes; every key that could sign before still may.`);
  if (before.requiresPossessionProof || !after.requiresPossessionProof) return plan;
  const certificates = (await signingCertificatesOf(tx, [after.id])).get(after.id) ?? [];
  const unproven = await unprovenKeysOf(tx, [...new Set(certificates.map((certificate) => certificate.member))]);
  const warnings = unproven.map(({ id, member }) => ({
    code: "KEY_UNPROVEN" as const,
    gun: "" as const,
    role: "" as const,
    message: `Key ${id} of member ${member} may sign for team ${after.id} and was never proved; it stays.`,
    tags: [],
    dueAt: undefined,
    members: [],
    readAt: undefined,
  }));
  return { ...plan, warnings };
}
