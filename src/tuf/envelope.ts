import type { RoleName, TufKeyId } from "../names.ts";
import { canonicalJson } from "./canonical.ts";
import { bytesOf, integerOf, listOf, mapOf, momentOf, recordOf, textOf } from "./fields.ts";
import { defaultMaxBytes, type JsonObject, type JsonValue, parseJson } from "./json.ts";
import { canonicalKeyIdOf, keyOf, type TufKey, tufKeyIdOf } from "./key.ts";
import { MetadataError } from "./metadata-error.ts";
import {
  type BaseRole,
  type DelegatedRole,
  maxVersion,
  type RoleKeys,
  type RootContent,
  type TargetFile,
  type TargetsContent,
} from "./payload.ts";
import { type Signature, verifySignature } from "./signature.ts";

export { MetadataError } from "./metadata-error.ts";

/** A metadata file as it was read: what it says, what its signatures are over, and its exact bytes. */
export interface Envelope<T> {
  readonly content: T;
  /** The canonical form of the whole `signed` part, fields unknown to us included. */
  readonly payload: Buffer;
  readonly signatures: readonly Signature[];
  readonly bytes: Buffer;
}

/** What a snapshot or a timestamp says: which files belong together, by role name. */
export interface FileListContent {
  readonly version: number;
  readonly expires: Date;
  readonly meta: ReadonlyMap<string, TargetFile>;
}

/** Reads a root file. Keys of unknown types, and keys that stand under another id than their own, are left out: nothing verifies by them. */
export function parseRoot(bytes: Buffer, maxBytes?: number): Envelope<RootContent> {
  return parseEnvelope(bytes, maxBytes, "Root", ["consistent_snapshot", "keys", "roles"], (signed, common) => {
    const keys = mapOf(signed.get("keys"), "keys");
    const roles = recordOf(signed.get("roles"), "roles", baseRoles);
    const role = (name: BaseRole): RoleKeys =>
      roleKeysOf(recordOf(roles.get(name), name, ["keyids", "threshold"]), name, keys);
    return {
      ...common,
      keys: keysOf(keys),
      roles: {
        root: role("root"),
        targets: role("targets"),
        snapshot: role("snapshot"),
        timestamp: role("timestamp"),
      },
    };
  });
}

/** Reads a targets or delegation file. Keys are left out as in `parseRoot`. */
export function parseTargets(bytes: Buffer, maxBytes?: number): Envelope<TargetsContent> {
  return parseEnvelope(bytes, maxBytes, "Targets", ["delegations", "targets"], (signed, common) => {
    const delegations = recordOf(signed.get("delegations") ?? new Map(), "delegations", ["keys", "roles"]);
    const keys = mapOf(delegations.get("keys"), "delegation keys");
    const roles = listOf(delegations.get("roles"), "delegation roles").map((role) => delegatedRoleOf(role, keys));
    if (new Set(roles.map((role) => role.name)).size !== roles.length) {
      throw new MetadataError("two delegations have the same name");
    }
    return { ...common, targets: filesOf(signed.get("targets"), "targets"), keys: keysOf(keys), roles };
  });
}

/** Reads a snapshot; it names at least root and targets, each by sha256. */
export function parseSnapshot(bytes: Buffer, maxBytes?: number): Envelope<FileListContent> {
  return parseFileList(bytes, maxBytes, "Snapshot", ["root", "targets"]);
}

/** Reads a timestamp; it names at least the snapshot, by sha256. */
export function parseTimestamp(bytes: Buffer, maxBytes?: number): Envelope<FileListContent> {
  return parseFileList(bytes, maxBytes, "Timestamp", ["snapshot"]);
}

/**
 * Whether enough of the role's keys signed the envelope: `threshold` of them, counted by canonical key, so that two certificates
 * of one key count once. False as soon as a signature names a key of the role that is not among `keys`: its content has another id.
 * Source: Notary, tuf/signed/verify.go, VerifySignatures.
 */
export function isSignedBy(envelope: Envelope<unknown>, keys: readonly TufKey[], role: RoleKeys): boolean {
  const byId = new Map(keys.map((key) => [tufKeyIdOf(key), key]));
  const inRole = envelope.signatures.filter((signature) => role.keyIds.includes(signature.keyId));
  if (role.threshold < 1 || inRole.some((signature) => !byId.has(signature.keyId))) return false;
  return signersOf(envelope, byId, inRole).size >= role.threshold;
}

/** Those of the keys that stand in the role and validly signed the envelope, each once, in the order of the signatures. */
export function keysThatSigned(
  envelope: Envelope<unknown>,
  keys: readonly TufKey[],
  role: Pick<RoleKeys, "keyIds">,
): readonly TufKey[] {
  const byId = new Map(keys.map((key) => [tufKeyIdOf(key), key]));
  const signed = envelope.signatures.flatMap((signature) => {
    const key = role.keyIds.includes(signature.keyId) ? byId.get(signature.keyId) : undefined;
    return key !== undefined && verifySignature(key, signature, envelope.payload) ? [key] : [];
  });
  return [...new Set(signed)];
}

/** The canonical ids of those keys of the role that validly signed the envelope. */
function signersOf(
  envelope: Envelope<unknown>,
  byId: ReadonlyMap<TufKeyId, TufKey>,
  signatures: readonly Signature[],
): ReadonlySet<string> {
  const signers = new Set<string>();
  for (const signature of signatures) {
    const key = byId.get(signature.keyId);
    if (key !== undefined && verifySignature(key, signature, envelope.payload)) signers.add(canonicalKeyIdOf(key));
  }
  return signers;
}

const baseRoles: readonly BaseRole[] = ["root", "targets", "snapshot", "timestamp"];
const commonFields = ["_type", "expires", "version"];
/** Nobody needs more, and each costs a verification. */
const maxSignatures = 256;

function parseEnvelope<T>(
  bytes: Buffer,
  maxBytes: number = defaultMaxBytes,
  type: string,
  fields: readonly string[],
  contentOf: (signed: JsonObject, common: { version: number; expires: Date }) => T,
): Envelope<T> {
  const document = recordOf(parseJson(bytes, maxBytes), "the file", ["signed", "signatures"]);
  const signed = recordOf(document.get("signed"), "signed", [...commonFields, ...fields]);
  if (signed.get("_type") !== type) throw new MetadataError(`is not of type ${type}`);
  const common = {
    version: integerOf(signed.get("version"), "version", 1, maxVersion),
    expires: momentOf(signed.get("expires"), "expires"),
  };
  return {
    content: contentOf(signed, common),
    payload: Buffer.from(canonicalJson(signed)),
    signatures: listOf(document.get("signatures"), "signatures", maxSignatures).map(signatureOf),
    bytes,
  };
}

function parseFileList(
  bytes: Buffer,
  maxBytes: number | undefined,
  type: string,
  required: readonly string[],
): Envelope<FileListContent> {
  return parseEnvelope(bytes, maxBytes, type, ["meta"], (signed, common) => {
    const meta = filesOf(signed.get("meta"), "meta");
    const missing = required.find((name) => !meta.get(name)?.hashes.has("sha256"));
    if (missing !== undefined) throw new MetadataError(`does not name ${missing} by sha256`);
    return { ...common, meta };
  });
}

function signatureOf(value: JsonValue): Signature {
  const signature = recordOf(value, "a signature", ["keyid", "method", "sig"]);
  return {
    keyId: keyIdOf(signature.get("keyid")),
    method: textOf(signature.get("method"), "a signature's method").toLowerCase(),
    sig: bytesOf(signature.get("sig"), "a signature"),
  };
}

function keyIdOf(value: JsonValue | undefined): TufKeyId {
  const text = textOf(value, "a key id");
  if (!/^[0-9a-f]{64}$/.test(text)) throw new MetadataError("a key id is not 64 lower-case hex digits");
  return text as TufKeyId;
}

function keysOf(keys: JsonObject): readonly TufKey[] {
  return [...keys].flatMap(([id, value]) => {
    const key = keyOf(value);
    return key !== undefined && tufKeyIdOf(key) === id ? [key] : [];
  });
}

function roleKeysOf(role: JsonObject, name: string, keys: JsonObject): RoleKeys {
  const keyIds = listOf(role.get("keyids"), `the key ids of ${name}`).map(keyIdOf);
  if (keyIds.some((id) => !keys.has(id))) throw new MetadataError("a role names a key that is not given");
  return { keyIds, threshold: integerOf(role.get("threshold"), "a threshold", 1, maxVersion) };
}

function delegatedRoleOf(value: JsonValue, keys: JsonObject): DelegatedRole {
  const role = recordOf(value, "a delegation", ["keyids", "name", "paths", "threshold"]);
  const paths = listOf(role.get("paths"), "paths").map((path) => textOf(path, "a path"));
  return { name: delegationNameOf(role.get("name")), paths, ...roleKeysOf(role, "a delegation", keys) };
}

/** Source: Notary, tuf/data/roles.go, IsDelegation. */
function delegationNameOf(value: JsonValue | undefined): RoleName {
  const name = textOf(value, "a delegation's name");
  if (name.length > 255 || !/^targets(?:\/[-a-z0-9_]+)+$/.test(name)) {
    throw new MetadataError("a delegation's name is not one that Notary allows");
  }
  return name as RoleName;
}

function filesOf(value: JsonValue | undefined, what: string): ReadonlyMap<string, TargetFile> {
  return new Map([...mapOf(value, what)].map(([name, file]) => [name, fileOf(file)]));
}

function fileOf(value: JsonValue): TargetFile {
  const file = recordOf(value, "a file", ["custom", "hashes", "length"]);
  const hashes = new Map(
    [...mapOf(file.get("hashes"), "hashes")].map(([name, digest]) => [name, bytesOf(digest, "a hash")]),
  );
  if ((hashes.get("sha256")?.length ?? 32) !== 32) throw new MetadataError("a sha256 is not 32 bytes");
  return {
    length: integerOf(file.get("length"), "a length", 0, Number.MAX_SAFE_INTEGER),
    hashes,
    custom: file.get("custom"),
  };
}
