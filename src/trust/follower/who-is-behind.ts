import type { Transaction } from "../../database.ts";
import { type RoleName, releasesRole, type TeamId } from "../../names.ts";
import { canonicalKeyIdOf, type TufKey, tufKeyIdOf } from "../../tuf/key.ts";
import type { Collection } from "../collection-store.ts";
import type { SigningKey } from "./signature-record.ts";
import { ownersOf, teamsOf } from "./signature-store.ts";

/** Whose the keys are that signed a file of a role, and the teams for which their holders sign there now. */
export async function whoIsBehind(
  tx: Transaction,
  collection: Collection,
  role: RoleName,
  signedBy: readonly TufKey[],
): Promise<{ readonly keys: readonly SigningKey[]; readonly teams: readonly TeamId[] }> {
  const keys = await holdersOf(tx, signedBy);
  const members = [...new Set(keys.flatMap(({ member }) => (member === "" ? [] : [member])))];
  return { keys, teams: teamsBehind(role, await teamsOf(tx, collection.id, members)) };
}

/** Whose the keys are. */
export async function holdersOf(tx: Transaction, keys: readonly TufKey[]): Promise<readonly SigningKey[]> {
  const owners = await ownersOf(tx, keys.map(tufKeyIdOf));
  return keys.map((key) => {
    const tufKeyId = tufKeyIdOf(key);
    return { tufKeyId, canonicalKeyId: canonicalKeyIdOf(key), member: owners.get(tufKeyId)?.member ?? ("" as const) };
  });
}

/** The team of a team's own role; for targets/releases, the included teams in which the signers are now. */
export function teamsBehind(role: RoleName, teams: Awaited<ReturnType<typeof teamsOf>>): readonly TeamId[] {
  if (role !== releasesRole) return [role.slice("targets/".length) as TeamId];
  const included = [...teams.values()].flat().filter(({ inReleases }) => inReleases);
  return [...new Set(included.map(({ team }) => team))].sort();
}
