import type { Gun, RoleName } from "../../names.ts";
import { fateOfFile, outlivingTags, type RoleGrant } from "../../tuf/file-fate.ts";
import { type DesiredRole, desiredRoles, tufKeyOf } from "../desired.ts";
import { covers } from "../paths.ts";
import type { CollectionChange } from "../planner.ts";
import type { Introductions } from "./introductions-store.ts";

/** The newest delegation files of one collection, as far as they could be read. */
export interface NewestFiles {
  /** Why Notary could not be read; undefined when `files` is what it shows now. */
  readonly unreadable: string | undefined;
  /** Where Notary could not be read: up to when it was, so that `files` are those kept from then. Undefined: never. */
  readonly readAt: Date | undefined;
  readonly files: ReadonlyMap<RoleName, Buffer>;
}

/** A change of one collection, and what is known of the files that it touches. */
export interface GuardedChange {
  readonly change: CollectionChange;
  readonly newest: NewestFiles;
  /** Which of the keys that leave has put which tags where. */
  readonly introduced: Introductions;
}

/** Tags of one role that a change takes away from, or brings back to, everybody who verifies, or that stay. */
export interface AffectedTags {
  readonly gun: Gun;
  readonly role: RoleName;
  readonly tags: readonly string[];
}

/** What a change does to published signatures. */
export interface GuardedEffect extends GuardedChange {
  readonly orphaned: readonly AffectedTags[];
  readonly revived: readonly AffectedTags[];
  /** Put there by a key that leaves, and trusted as before by a signature of a key that stays. */
  readonly outliving: readonly AffectedTags[];
  /** Something is taken away, and Notary could not be read: there may be more than is known. */
  readonly isBlind: boolean;
}

/** Which published signatures a change of keys leaves without a valid signer, which old ones it revives, and which outlive their key. */
export function effectOf(guarded: GuardedChange): GuardedEffect {
  const { change, newest, introduced } = guarded;
  const { gun } = change.after;
  const [before, after] = [rolesOf(change.before), rolesOf(change.after)];
  const fates = [...newest.files].flatMap(([role, bytes]) => {
    const fate = fateOfFile(bytes, before.get(role), after.get(role));
    return fate === undefined ? [] : [{ role, fate }];
  });
  const some = (role: RoleName, tags: readonly string[]) => (tags.length === 0 ? [] : [{ gun, role, tags }]);
  return {
    ...guarded,
    orphaned: fates.flatMap(({ role, fate }) => some(role, fate.orphaned)),
    revived: fates.flatMap(({ role, fate }) => some(role, fate.revived)),
    outliving: fates.flatMap(({ role, fate }) => some(role, outlivingTags(fate, introduced.get(role) ?? new Map()))),
    isBlind: newest.unreadable !== undefined && takesAway(change),
  };
}

function rolesOf(desired: CollectionChange["before"]): ReadonlyMap<RoleName, RoleGrant> {
  return new Map((desired === undefined ? [] : desiredRoles(desired)).map((role) => [role.name, grantOf(role)]));
}

/** A role without a key trusts nothing, whatever its threshold. */
function grantOf({ keys, paths }: DesiredRole): RoleGrant {
  return { keys: keys.map(tufKeyOf), threshold: 1, paths };
}

/** Whether a change takes keys, paths or roles away, so that signatures may be orphaned. */
function takesAway(change: CollectionChange): boolean {
  const after = new Map(desiredRoles(change.after).map((role) => [role.name, role]));
  return (change.before === undefined ? [] : desiredRoles(change.before)).some((role) => {
    const staying = after.get(role.name);
    const kept = new Set(staying?.keys.map((key) => key.tufKeyId));
    return (
      staying === undefined || !covers(staying.paths, role.paths) || role.keys.some((key) => !kept.has(key.tufKeyId))
    );
  });
}
