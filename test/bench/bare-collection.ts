import { sign } from "node:crypto";
import { type Gun, type RoleName, releasesRole, roleOf, targetsRole } from "../../src/names.ts";
import { encodeMultipart, type MultipartBody } from "../../src/notary/multipart.ts";
import { certificateKey, type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, targetsPayload } from "../../src/tuf/payload.ts";
import { inOneYear, makeRootSigner, makeSigner, rootFile, type Signer } from "../notary/collection.ts";
import type { BareNotary } from "./bare-notary.ts";
import type { BenchTeam } from "./teams.ts";

/** A collection that the bare side publishes: the same delegations as ours, under keys of its own. */
export interface BareCollection {
  readonly gun: Gun;
  /** Two GET .key at once, then one POST of root and targets; only the root is signed in between, for it names those keys. */
  initialize(): Promise<void>;
  /** An upload of the next version of targets with these teams, ready to be sent. */
  readySigned(version: number, teams: readonly BenchTeam[]): MultipartBody;
}

/** Makes keys and the first targets; nothing is sent yet. */
export async function prepareBareCollection(
  bare: BareNotary,
  gun: Gun,
  teams: readonly BenchTeam[],
): Promise<BareCollection> {
  const root = await makeRootSigner(gun);
  const targets = makeSigner();
  const first = targetsFile(targets, 1, teams);
  return {
    gun,
    initialize: async () => {
      const [snapshot, timestamp] = await Promise.all([
        bare.serverKey(gun, "snapshot"),
        bare.serverKey(gun, "timestamp"),
      ]);
      await bare.post(gun, encodeMultipart([rootFile({ root, targets, snapshot, timestamp }), first]));
    },
    readySigned: (version, now) => encodeMultipart([targetsFile(targets, version, now)]),
  };
}

/** targets.json as the service would write it for these teams: releases with all keys, and a role for each team. */
function targetsFile({ key, privateKey }: Signer, version: number, teams: readonly BenchTeam[]) {
  const roles = [
    { name: releasesRole, keys: teams.flatMap((team) => team.certificates.map(certificateKey)) },
    ...teams.map((team) => ({ name: roleOf(team.id), keys: team.certificates.map(certificateKey) })),
  ];
  const keys = new Map(roles.flatMap((role) => role.keys.map((one): [string, TufKey] => [tufKeyIdOf(one), one])));
  const payload = targetsPayload({
    version,
    expires: inOneYear,
    targets: new Map(),
    keys: [...keys.values()],
    roles: roles.map((role) => ({ name: role.name, keyIds: role.keys.map(tufKeyIdOf), threshold: 1, paths: [""] })),
  });
  const sig = sign("sha256", payload, { key: privateKey, dsaEncoding: "ieee-p1363" });
  return {
    role: targetsRole as RoleName,
    bytes: envelopeOf(payload, [{ keyId: tufKeyIdOf(key), method: "ecdsa", sig }]),
  };
}

/** Targets that are signed and need only be posted. */
export interface ReadyOne {
  readonly gun: BareCollection["gun"];
  readonly version: number;
  readonly upload: ReturnType<BareCollection["readySigned"]>;
}

/** The next targets of each collection, signed before any clock runs. */
export function readyOnes(
  collections: readonly BareCollection[],
  version: number,
  teams: readonly BenchTeam[],
): readonly ReadyOne[] {
  return collections.map((collection) => ({
    gun: collection.gun,
    version,
    upload: collection.readySigned(version, teams),
  }));
}
