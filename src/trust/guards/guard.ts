import type { ChangeOptions } from "../../changes/options.ts";
import { Fault } from "../../errors.ts";
import type { Gun, RoleName } from "../../names.ts";
import { isValidWith, viewDelegationFile } from "../../tuf/orphans.ts";
import { type DesiredRole, desiredRoles, tufKeyOf } from "../desired.ts";
import type { CollectionChange } from "../planner.ts";

/** The newest delegation files of one collection, as far as they could be read. */
export interface NewestFiles {
  /** Why Notary could not be read; undefined when `files` is complete. */
  readonly unreadable: string | undefined;
  readonly files: ReadonlyMap<RoleName, Buffer>;
}

/** Tags of one role that a change takes away from, or brings back to, everybody who verifies. */
export interface AffectedTags {
  readonly gun: Gun;
  readonly role: RoleName;
  readonly tags: readonly string[];
}

/**
 * Which published signatures a change of keys leaves without a valid signer, and which old ones it revives. Judged per file:
 * a role's file counts or not as a whole (TUF 5.6.7; Notary client/tufclient.go skips a delegation below its threshold).
 */
export function affectedTags(
  change: CollectionChange,
  newest: NewestFiles,
): { readonly orphaned: readonly AffectedTags[]; readonly revived: readonly AffectedTags[] } {
  const before = new Map(
    (change.before === undefined ? [] : desiredRoles(change.before)).map((role) => [role.name, role]),
  );
  const after = new Map(desiredRoles(change.after).map((role) => [role.name, role]));
  const orphaned: AffectedTags[] = [];
  const revived: AffectedTags[] = [];
  for (const [role, bytes] of newest.files) {
    const held = isHeldBy(before.get(role), bytes);
    const holds = isHeldBy(after.get(role), bytes);
    if (held === holds) continue;
    const tags = viewDelegationFile(bytes).tags;
    if (tags.length > 0) (held ? orphaned : revived).push({ gun: change.after.gun, role, tags });
  }
  return { orphaned, revived };
}

function isHeldBy(role: DesiredRole | undefined, bytes: Buffer): boolean {
  return role !== undefined && role.keys.length > 0 && isValidWith(bytes, role.keys.map(tufKeyOf), 1);
}

/** Whether a change takes keys or roles away, so that signatures may be orphaned. */
export function takesAway(change: CollectionChange): boolean {
  const after = new Map(
    desiredRoles(change.after).map((role) => [role.name, new Set(role.keys.map((key) => key.tufKeyId))]),
  );
  return (change.before === undefined ? [] : desiredRoles(change.before)).some((role) => {
    const kept = after.get(role.name);
    return kept === undefined || role.keys.some((key) => !kept.has(key.tufKeyId));
  });
}

/** Refuses a change that orphans or revives signatures, or cannot be judged, unless its options accept that. */
export function requireHarmless(
  changes: readonly { readonly change: CollectionChange; readonly newest: NewestFiles }[],
  options: ChangeOptions,
): void {
  const blind = changes.filter(({ change, newest }) => newest.unreadable !== undefined && takesAway(change));
  const judged = changes.map(({ change, newest }) => affectedTags(change, newest));
  const orphaned = judged.flatMap((effect) => effect.orphaned);
  const revived = judged.flatMap((effect) => effect.revived);
  if (orphaned.length > 0 && !options.acceptOrphaned) {
    throw new Fault(
      "WOULD_ORPHAN",
      `This takes away the only valid signature of published tags (${wordsOf(orphaned)}). Let a remaining member sign them first, or set accept_orphaned.`,
      { metadata: metadataOf(orphaned) },
    );
  }
  if (revived.length > 0 && !options.acceptRevived) {
    throw new Fault(
      "WOULD_REVIVE",
      `This makes old signatures valid again (${wordsOf(revived)}). Use a fresh key, or set accept_revived.`,
      { metadata: metadataOf(revived) },
    );
  }
  const [first] = blind;
  if (first !== undefined && !options.acceptOrphaned) {
    throw new Fault(
      "GUARD_UNAVAILABLE",
      `Notary cannot be read just now, so it is not known whether this would orphan signatures of ${first.change.after.gun}${blind.length > 1 ? ` and ${blind.length - 1} more` : ""}. Repeat it later, or set accept_orphaned.`,
      { metadata: { gun: first.change.after.gun, collections: String(blind.length) } },
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
