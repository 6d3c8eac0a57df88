import type { RoleName } from "../../src/names.ts";
import { parseTimestamp } from "../../src/tuf/envelope.ts";
import { type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import type { RoleKeys } from "../../src/tuf/payload.ts";
import type { ObservedFiles, Pins } from "../../src/tuf/verify.ts";
import {
  digestOf,
  healthyWalk,
  history,
  listFile,
  people,
  pins,
  rootFile,
  type Signer,
  signed,
  targetsFile,
  walkOf,
} from "./collection.ts";

/** What Notary shows where it differs from a healthy collection, and what we know besides the pins. */
export type Observation = Partial<ObservedFiles> & { readonly knowing?: Partial<Pins> };

const { root1, root2, targets2, targets4 } = history;
const { root, targets, snapshot, timestamp, stranger } = people;

/** One read by version, and nothing else. */
export function slot(
  role: string,
  version: number,
  bytes: Buffer | undefined,
  knowing: Partial<Pins> = {},
): Observation {
  return { slots: [{ role: role as RoleName, version, bytes }], walk: undefined, knowing };
}

/** A walk through our newest files, or others in their place. */
export function walk(
  files: { readonly root?: Buffer; readonly targets?: Buffer },
  own: Parameters<typeof walkOf>[1] = {},
  knowing: Partial<Pins> = {},
): Observation {
  return { walk: walkOf({ root: root2, targets: targets4, ...files }, own), knowing };
}

/** A healthy walk with some of its four files replaced, the lists above them unchanged. */
export function swap(files: Partial<NonNullable<ObservedFiles["walk"]>>, knowing: Partial<Pins> = {}): Observation {
  return { walk: { ...healthyWalk, ...files }, knowing };
}

export function know(version: string, ...files: readonly Buffer[]): Partial<Pins> {
  return { known: new Map([...pins.known, [version, files.map(digestOf)]]) };
}

export function highest(role: string, version: number): Partial<Pins> {
  return { highest: new Map([...pins.highest, [role, version]]) };
}

function roleKeys(...signers: readonly Signer[]): RoleKeys {
  return { keyIds: signers.map(({ key }) => tufKeyIdOf(key)), threshold: 1 };
}

const keysOf = (...signers: readonly Signer[]): readonly TufKey[] => signers.map(({ key }) => key);

export const inFlight = targetsFile(5);
export const otherInFlight = targetsFile(5, { roles: [], keys: [] });
export const otherTargets4 = targetsFile(4, { roles: [], keys: [] });

/** Our next root, by which the stranger signs snapshots. */
export const rotatedRoot = rootFile(3, {
  keys: keysOf(root, targets, stranger, timestamp),
  roles: {
    root: roleKeys(root),
    targets: roleKeys(targets),
    snapshot: roleKeys(stranger),
    timestamp: roleKeys(timestamp),
  },
});

/** A root by which the stranger may sign targets too, as after an adoption. */
export const sharedRoot = rootFile(2, {
  keys: keysOf(root, targets, stranger, snapshot, timestamp),
  roles: {
    root: roleKeys(root),
    targets: roleKeys(targets, stranger),
    snapshot: roleKeys(snapshot),
    timestamp: roleKeys(timestamp),
  },
});
export const sharing: Partial<Pins> = {
  root: sharedRoot,
  ...know("2.root", root2, sharedRoot),
  foreignKeys: new Set([tufKeyIdOf(stranger.key)]),
};

const past = new Date("2020-01-01T00:00:00Z");
export const expiredTimestamp = listFile("Timestamp", 6, { snapshot: healthyWalk.snapshot }, timestamp, past);
const expiredRoot = rootFile(2, { expires: past });
const expiredTargets = targetsFile(4, { expires: past });
export const expiredCollection = walk(
  { root: expiredRoot, targets: expiredTargets },
  {},
  { root: expiredRoot, targets: expiredTargets, known: new Map() },
);

/** A newer snapshot that still lists a role we removed, and its timestamp. */
export const grownSnapshot = listFile(
  "Snapshot",
  7,
  { root: root2, targets: targets4, "targets/gone": targets2 },
  snapshot,
);
export const grownTimestamp = listFile("Timestamp", 8, { snapshot: grownSnapshot }, timestamp);

const timestampPayload = parseTimestamp(healthyWalk.timestamp).payload;
export const unsignedTimestamp = signed(timestampPayload);
/** Names the right snapshot, but with another length. */
export const misnamingTimestamp = signed(
  Buffer.from(timestampPayload.toString().replace('"length":', '"length":1')),
  timestamp,
);

export const noWalk = { timestamp: undefined, snapshot: undefined, root: undefined, targets: undefined };
export const newestRootSlot = { role: "root" as RoleName, version: 2, bytes: root2 };
export { root1, root2, targets2, targets4 };
