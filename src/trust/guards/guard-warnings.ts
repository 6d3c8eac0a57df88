import type { PlanWarning } from "../../changes/plan.ts";
import type { RoleName } from "../../names.ts";
import type { SigningCertificate } from "../../teams/effects.ts";
import { isValidWith, viewDelegationFile } from "../../tuf/orphans.ts";
import { desiredRoles, tufKeyOf } from "../desired.ts";
import type { CollectionChange } from "../planner.ts";
import { affectedTags, type NewestFiles, takesAway } from "./guard.ts";

/** Plans name only the first of their collections. */
const mostWarnings = 50;

/**
 * What a change that the guards let through does to published signatures: the tags it orphans and revives, those that a key which goes
 * has signed and that stay valid, and the collections of which nothing is known.
 */
export function guardWarnings(
  changes: readonly { readonly change: CollectionChange; readonly newest: NewestFiles }[],
): readonly PlanWarning[] {
  const warnings: PlanWarning[] = [];
  for (const { change, newest } of changes) {
    if (warnings.length >= mostWarnings) break;
    warnings.push(...warningsOf(change, newest));
  }
  return warnings.slice(0, mostWarnings);
}

function warningsOf(change: CollectionChange, newest: NewestFiles): readonly PlanWarning[] {
  const { gun } = change.after;
  const warning = (
    code: PlanWarning["code"],
    role: RoleName | "",
    message: string,
    tags: readonly string[],
  ): PlanWarning => ({ code, gun, role, message, tags, dueAt: undefined });
  const { orphaned, revived } = affectedTags(change, newest);
  const blind = newest.unreadable !== undefined && takesAway(change);
  return [
    ...orphaned.map(({ role, tags }) => warning("SIGNATURES_ORPHANED", role, orphanedWords(change, role), tags)),
    ...revived.map(({ role, tags }) =>
      warning("SIGNATURES_REVIVED", role, `Old signatures of ${role} of ${gun} become valid again.`, tags),
    ),
    ...signedByLeavers(change, newest).map(({ role, tags }) =>
      warning("SIGNATURES_TO_REVIEW", role, reviewWords(change, role), tags),
    ),
    ...(blind ? [warning("SIGNATURES_UNKNOWN", "", unknownWords(gun, newest.unreadable ?? ""), [])] : []),
  ];
}

/** The roles whose newest file a key that goes has signed and that a remaining key signed as well. */
function signedByLeavers(
  change: CollectionChange,
  newest: NewestFiles,
): readonly { readonly role: RoleName; readonly tags: readonly string[] }[] {
  const after = new Map(desiredRoles(change.after).map((role) => [role.name, role.keys]));
  const before = change.before === undefined ? [] : desiredRoles(change.before);
  return before.flatMap(({ name, keys }) => {
    const bytes = newest.files.get(name);
    const staying = after.get(name) ?? [];
    const kept = new Set(staying.map((key) => key.tufKeyId));
    const leaving = keys.filter((key) => !kept.has(key.tufKeyId));
    if (bytes === undefined || !isSignedByAny(bytes, leaving) || !isSignedByAny(bytes, staying)) return [];
    const { tags } = viewDelegationFile(bytes);
    return tags.length === 0 ? [] : [{ role: name, tags }];
  });
}

function isSignedByAny(bytes: Buffer, keys: readonly SigningCertificate[]): boolean {
  return keys.length > 0 && isValidWith(bytes, keys.map(tufKeyOf), 1);
}

function orphanedWords(change: CollectionChange, role: RoleName): string {
  return `Tags of ${role} of ${change.after.gun} lose their only valid signature; ${signersOf(change, role)}.`;
}

function reviewWords(change: CollectionChange, role: RoleName): string {
  return `Tags of ${role} of ${change.after.gun} that a key which goes has signed stay valid by a remaining signature; ${signersOf(change, role)}.`;
}

function unknownWords(gun: string, why: string): string {
  return `It is not known which signatures of ${gun} this orphans, because Notary could not be read: ${why}`;
}

/** Who can act, in words. */
function signersOf(change: CollectionChange, role: RoleName): string {
  const keys = desiredRoles(change.after).find((one) => one.name === role)?.keys ?? [];
  const members = [...new Set(keys.map((key) => key.member))].sort();
  if (members.length === 0) return "nobody is left who can sign it";
  const named = members.slice(0, 10).join(", ");
  return `${named}${members.length > 10 ? ` and ${members.length - 10} more` : ""} can sign it anew`;
}
