import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Gun, RoleName } from "../../src/names.ts";
import { canonicalJson } from "../../src/tuf/canonical.ts";
import type { JsonValue } from "../../src/tuf/json.ts";
import { type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import {
  envelopeOf,
  type RootContent,
  rootPayload,
  type TargetFile,
  type TargetsContent,
  targetsPayload,
} from "../../src/tuf/payload.ts";
import type { Signature } from "../../src/tuf/signature.ts";
import type { ObservedFiles, Pins } from "../../src/tuf/verify.ts";

export interface Signer {
  readonly key: TufKey;
  readonly privateKey: KeyObject;
}

export function makeSigner(namedCurve = "P-256"): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
  return { key: { keyType: "ecdsa", public: publicKey.export({ type: "spki", format: "der" }) }, privateKey };
}

export function signWith(signer: Signer, payload: Buffer): Signature {
  const sig = sign("sha256", payload, { key: signer.privateKey, dsaEncoding: "ieee-p1363" });
  return { keyId: tufKeyIdOf(signer.key), method: "ecdsa", sig };
}

export function signed(payload: Buffer, ...signers: readonly Signer[]): Buffer {
  return envelopeOf(
    payload,
    signers.map((signer) => signWith(signer, payload)),
  );
}

export function digestOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export const expires = new Date("2040-01-01T00:00:00Z");
export const now = new Date("2030-01-01T00:00:00Z");
export const teamRole = "targets/qa" as RoleName;

const names = ["root", "targets", "snapshot", "timestamp", "member", "colleague", "former", "stranger"] as const;
/** One key for everybody in these tests, made once. */
export const people = Object.fromEntries(names.map((name) => [name, makeSigner()])) as Record<
  (typeof names)[number],
  Signer
>;

const alone = (signer: Signer) => ({ keyIds: [tufKeyIdOf(signer.key)], threshold: 1 });

export function rootFile(version: number, change: Partial<RootContent> = {}, ...signers: readonly Signer[]): Buffer {
  const { root, targets, snapshot, timestamp } = people;
  const content: RootContent = {
    version,
    expires,
    keys: [root, targets, snapshot, timestamp].map((signer) => signer.key),
    roles: { root: alone(root), targets: alone(targets), snapshot: alone(snapshot), timestamp: alone(timestamp) },
    ...change,
  };
  return signed(rootPayload(content), ...(signers.length > 0 ? signers : [root]));
}

export function targetsFile(
  version: number,
  change: Partial<TargetsContent> = {},
  ...signers: readonly Signer[]
): Buffer {
  const content: TargetsContent = {
    version,
    expires,
    targets: new Map(),
    keys: [people.member.key, people.colleague.key],
    roles: [
      {
        name: teamRole,
        keyIds: [tufKeyIdOf(people.member.key), tufKeyIdOf(people.colleague.key)],
        threshold: 1,
        paths: [""],
      },
    ],
    ...change,
  };
  return signed(targetsPayload(content), ...(signers.length > 0 ? signers : [people.targets]));
}

export function delegationFile(version: number, signer: Signer, change: Partial<TargetsContent> = {}): Buffer {
  const tag: TargetFile = { length: 7, hashes: new Map([["sha256", Buffer.alloc(32, 1)]]), custom: undefined };
  const content = { version, expires, targets: new Map([["v1", tag]]), keys: [], roles: [], ...change };
  return signed(targetsPayload(content), signer);
}

/** A snapshot or timestamp as the server writes it. */
export function listFile(
  type: "Snapshot" | "Timestamp",
  version: number,
  files: Readonly<Record<string, Buffer>>,
  signer: Signer,
  until: Date = expires,
): Buffer {
  const meta = new Map<string, JsonValue>(Object.entries(files).map(([name, bytes]) => [name, entryOf(bytes)]));
  const content = new Map<string, JsonValue>([
    ["_type", type],
    ["expires", until.toISOString()],
    ["meta", meta],
    ["version", version],
  ]);
  return signed(Buffer.from(canonicalJson(content)), signer);
}

function entryOf(bytes: Buffer): JsonValue {
  const sha256 = createHash("sha256").update(bytes).digest("base64");
  return new Map<string, JsonValue>([
    ["hashes", new Map([["sha256", sha256]])],
    ["length", bytes.length],
  ]);
}

/** The walk that a Notary holding these files shows, its own two valid unless given. */
export function walkOf(
  files: { root: Buffer; targets: Buffer },
  own: { snapshotVersion?: number; timestampVersion?: number; snapshotBy?: Signer; timestampBy?: Signer } = {},
) {
  const { snapshotVersion = 5, timestampVersion = 6 } = own;
  const { snapshotBy = people.snapshot, timestampBy = people.timestamp } = own;
  const snapshot = listFile("Snapshot", snapshotVersion, files, snapshotBy);
  return { ...files, snapshot, timestamp: listFile("Timestamp", timestampVersion, { snapshot }, timestampBy) };
}

/** Our collection: root 1 and 2, targets 2 and 4 (3 was never used), snapshot 5 and timestamp 6. */
export const history = {
  root1: rootFile(1),
  root2: rootFile(2),
  targets2: targetsFile(2, { keys: [], roles: [] }),
  targets4: targetsFile(4),
};

export const pins: Pins = {
  gun: "dtr.example.org/dev/nginx" as Gun,
  root: history.root2,
  targets: history.targets4,
  known: new Map([
    ["1.root", digestOf(history.root1)],
    ["2.root", digestOf(history.root2)],
    ["2.targets", digestOf(history.targets2)],
    ["4.targets", digestOf(history.targets4)],
  ]),
  highest: new Map([
    ["root", 2],
    ["targets", 4],
    ["snapshot", 5],
    ["timestamp", 6],
  ]),
};

export const healthyWalk = walkOf({ root: history.root2, targets: history.targets4 });
/** The cheap look: the slots behind our newest files. */
export const emptySlots: ObservedFiles["slots"] = [
  { role: "root" as RoleName, version: 3, bytes: undefined },
  { role: "targets" as RoleName, version: 5, bytes: undefined },
];
export const healthy: ObservedFiles = { slots: emptySlots, walk: healthyWalk, delegations: new Map() };
