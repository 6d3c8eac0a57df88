import type { Call } from "../audit/call.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { type Commitment, nothingToPublish } from "../changes/outcome.ts";
import { describeWarning, type Plan, quietPlan } from "../changes/plan.ts";
import type { Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { CanonicalKeyId, TeamId } from "../names.ts";
import type { RolloutKind, SigningCertificate, TeamKeyChange } from "./effects.ts";
import type { NotaryReading } from "./notary-reading.ts";
import type { TeamRoom } from "./room.ts";
import { signingCertificatesOf } from "./signing-certificates-store.ts";
import { bumpRevisions } from "./team-locks-store.ts";

/** A change that may touch who signs for some teams. */
export interface KeyChange {
  readonly call: Call;
  readonly options: ChangeOptions;
  /** The teams it may touch; they must be locked. */
  readonly teams: readonly TeamId[];
  readonly kind: RolloutKind;
  /** What was read of Notary before. */
  readonly reading: NotaryReading;
  readonly now: Date;
}

/** What a change did to who may sign. */
export interface KeyChanged {
  readonly plan: Plan;
  readonly commitment: Commitment;
  /** Which keys may sign for which teams from now on, or no longer, in words. */
  readonly words: readonly string[];
  readonly keys: readonly CanonicalKeyId[];
}

/**
 * Writes the change, and for every team whose set of keys it really changed bumps the revision, plans, asks the guards and
 * starts the rollout. The rows hold the state after the change when trust/ is asked. `summary` is the plan's where no key moves.
 */
export async function changeKeys(
  room: TeamRoom,
  tx: Transaction,
  change: KeyChange,
  summary: string,
  write: () => Promise<void>,
): Promise<KeyChanged> {
  const before = await signingCertificatesOf(tx, change.teams);
  await write();
  const after = await signingCertificatesOf(tx, change.teams);
  const moved = change.teams.filter((team) => !isSameSet(before.get(team) ?? [], after.get(team) ?? []));
  if (moved.length === 0) return { plan: quietPlan(summary), commitment: nothingToPublish, words: [], keys: [] };
  requireRead(change, moved);
  const revisions = await bumpRevisions(tx, moved, change.now);
  const changes = moved.map((team) => ({
    team,
    before: before.get(team) ?? [],
    after: after.get(team) ?? [],
    revision: revisions.get(team) ?? 0n,
  }));
  const plan = await room.effects.plan(tx, changes, change.now);
  const warnings = await room.effects.guard(tx, changes, change.options, change.reading.files, change.now);
  const commitment = await room.effects.changed(tx, change.call, change.kind, changes, change.now);
  const { words, keys } = tell(changes);
  return {
    plan: { ...plan, warnings: [...plan.warnings, ...warnings] },
    commitment,
    words: [...words, ...warnings.map(describeWarning)],
    keys,
  };
}

/** Both lists are ordered by TUF key id, which names a certificate exactly. */
function isSameSet(one: readonly SigningCertificate[], other: readonly SigningCertificate[]): boolean {
  return one.length === other.length && one.every((certificate, at) => certificate.tufKeyId === other[at]?.tufKeyId);
}

/** Where all that the guards could find is accepted, nothing need have been read. */
function requireRead({ reading, options }: KeyChange, moved: readonly TeamId[]): void {
  if (options.acceptOrphaned && options.acceptRevived) return;
  if (moved.every((team) => reading.teams.has(team))) return;
  throw new Fault("CONFLICT", "The member joined another team at the same moment; repeat the call.");
}

function tell(changes: readonly TeamKeyChange[]): Pick<KeyChanged, "words" | "keys"> {
  const gained = movesOf(changes, (change) => without(change.after, change.before));
  const lost = movesOf(changes, (change) => without(change.before, change.after));
  return {
    words: [
      ...gained.map((move) => `${nameOf(move.certificate)} may now sign for ${move.teams.join(", ")}`),
      ...lost.map((move) => `${nameOf(move.certificate)} may no longer sign for ${move.teams.join(", ")}`),
    ],
    keys: [...new Set([...gained, ...lost].map((move) => move.certificate.canonicalKeyId))],
  };
}

interface Move {
  readonly certificate: SigningCertificate;
  readonly teams: TeamId[];
}

function movesOf(
  changes: readonly TeamKeyChange[],
  pick: (change: TeamKeyChange) => readonly SigningCertificate[],
): readonly Move[] {
  const moves = new Map<string, Move>();
  for (const change of changes) {
    for (const certificate of pick(change)) {
      const move = moves.get(certificate.tufKeyId) ?? { certificate, teams: [] };
      move.teams.push(change.team);
      moves.set(certificate.tufKeyId, move);
    }
  }
  return [...moves.values()];
}

function without(
  some: readonly SigningCertificate[],
  others: readonly SigningCertificate[],
): readonly SigningCertificate[] {
  const known = new Set(others.map((certificate) => certificate.tufKeyId));
  return some.filter((certificate) => !known.has(certificate.tufKeyId));
}

function nameOf(certificate: SigningCertificate): string {
  return `key ${certificate.tufKeyId} (canonical ${certificate.canonicalKeyId}) of member ${certificate.member}`;
}
