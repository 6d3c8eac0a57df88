import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import type { Gun, RoleName } from "../../src/names.ts";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { type BareCollection, prepareBareCollection } from "./bare-collection.ts";
import type { BareNotary } from "./bare-notary.ts";
import { type Caller, requirePublished } from "./caller.ts";
import { share } from "./pairs.ts";
import { type BenchTeam, gunOf } from "./teams.ts";

/** InitializeTrust with teams; resolves when it is live. */
export async function initialize(caller: Caller, gun: Gun, teams: readonly BenchTeam[]): Promise<void> {
  const grants = teams.map(({ id }) => ({ team: id, paths: [], excludeFromReleases: false }));
  const { outcome } = await caller.call(TrustServiceService.initializeTrust, { gun, teams: grants });
  requirePublished(outcome);
}

/** Delegate; resolves when it is live. */
export async function delegate(caller: Caller, gun: Gun, team: BenchTeam): Promise<void> {
  const { outcome } = await caller.call(DelegationServiceService.delegate, { gun, team: team.id });
  requirePublished(outcome);
}

/** Collections of both sides, in the same state. */
export interface Field {
  readonly ours: readonly Gun[];
  readonly bare: readonly BareCollection[];
}

/** Initializes as many collections through the service as straight on Notary, delegated to the same teams. */
export async function layField(
  measure: string,
  size: number,
  teams: readonly BenchTeam[],
  callers: readonly Caller[],
  bare: BareNotary,
): Promise<Field> {
  const numbers = Array.from({ length: size }, (_, number) => number);
  const ours = numbers.map((number) => gunOf(measure, "ours", number));
  await share(ours, callers, (caller, gun) => initialize(caller, gun, teams));
  const collections: BareCollection[] = [];
  for (const number of numbers) {
    const collection = await prepareBareCollection(bare, gunOf(measure, "bare", number), teams);
    await collection.initialize();
    collections.push(collection);
  }
  return { ours, bare: collections };
}

/** The delegations that Notary shows now: the canonical form of each role with the number of its keys. */
export async function delegationsOn(
  bare: BareNotary,
  gun: Gun,
  file = "targets.json",
): Promise<ReadonlyMap<RoleName, number>> {
  const bytes = await bare.read(gun, file);
  if (bytes === undefined) return new Map();
  return new Map(parseTargets(bytes).content.roles.map((role) => [role.name, role.keyIds.length]));
}

/** Length of targets.json as Notary serves it, in bytes. */
export async function targetsBytesOf(bare: BareNotary, gun: Gun): Promise<number> {
  return (await bare.read(gun, "targets.json"))?.length ?? 0;
}

/** Throws unless both GUNs show the same delegations, each with as many keys: then the two sides did the same work. */
export async function requireSameDelegations(bare: BareNotary, ours: Gun, theirs: Gun): Promise<void> {
  const [our, their] = [await delegationsOn(bare, ours), await delegationsOn(bare, theirs)];
  const told = JSON.stringify([...our].sort());
  if (our.size === 0 || told !== JSON.stringify([...their].sort())) {
    throw new Error(`${ours} shows ${told}, ${theirs} shows ${JSON.stringify([...their].sort())}`);
  }
}
