import type { ChangeOptions } from "../../changes/options.ts";
import type { PlanWarning } from "../../changes/plan.ts";
import { Fault } from "../../errors.ts";
import { type AffectedTags, effectOf, type GuardedChange, type GuardedEffect } from "./guard-effect.ts";
import { guardWarnings } from "./guard-warnings.ts";

/**
 * Refuses changes that orphan or revive signatures, or cannot be judged, unless the options accept that; answers what is known of the
 * signatures that a change touches which is let through. Every change of who may sign comes through here.
 */
export function guardChanges(changes: readonly GuardedChange[], options: ChangeOptions): readonly PlanWarning[] {
  const effects = changes.map(effectOf);
  requireHarmless(effects, options);
  return guardWarnings(effects);
}

/** What is lost is told only where Notary was read just now: tags that were orphaned before it fell silent are no reason to refuse. */
function requireHarmless(effects: readonly GuardedEffect[], options: ChangeOptions): void {
  const orphaned = effects.flatMap((effect) => (effect.newest.unreadable === undefined ? effect.orphaned : []));
  if (orphaned.length > 0 && !options.acceptOrphaned) {
    throw new Fault(
      "WOULD_ORPHAN",
      `This takes away the only valid signature of published tags (${wordsOf(orphaned)}). Let a remaining member sign them first, or set accept_orphaned.`,
      { metadata: metadataOf(orphaned) },
    );
  }
  const revived = effects.flatMap((effect) => effect.revived);
  if (revived.length > 0 && !options.acceptRevived) {
    throw new Fault(
      "WOULD_REVIVE",
      `This makes old signatures valid again (${wordsOf(revived)}). Use a fresh key, or set accept_revived.`,
      { metadata: metadataOf(revived) },
    );
  }
  const blind = effects.filter((effect) => effect.isBlind);
  const [first] = blind;
  if (first !== undefined && !options.acceptOrphaned) {
    const { gun } = first.change.after;
    throw new Fault(
      "GUARD_UNAVAILABLE",
      `Notary cannot be read just now, so it is not known whether this would orphan signatures of ${gun}${blind.length > 1 ? ` and ${blind.length - 1} more` : ""}. Repeat it later, or set accept_orphaned.`,
      { metadata: { gun, collections: String(blind.length) } },
    );
  }
}

function wordsOf(affected: readonly AffectedTags[]): string {
  const words = affected.slice(0, 3).map((one) => `${one.role} of ${one.gun}: ${one.tags.slice(0, 5).join(", ")}`);
  return words.join("; ") + (affected.length > 3 ? `; and ${affected.length - 3} more roles` : "");
}

/** Every affected role with its tags, within the size that error details may have. */
function metadataOf(affected: readonly AffectedTags[]): Record<string, string> {
  const named = affected
    .slice(0, 20)
    .map((one) => [`${one.gun} ${one.role}`, one.tags.slice(0, 50).join(",")] as const);
  return { ...Object.fromEntries(named), roles: String(affected.length) };
}
