import type { RoleName, TufKeyId } from "../names.ts";
import { canonicalJson, wireJson } from "./canonical.ts";
import { isSane } from "./fields.ts";
import type { JsonValue } from "./json.ts";
import { keyValue, type TufKey, tufKeyIdOf } from "./key.ts";
import { MetadataError } from "./metadata-error.ts";
import type { Signature } from "./signature.ts";

/** Who may sign for a role: any `threshold` of the keys. */
export interface RoleKeys {
  readonly keyIds: readonly TufKeyId[];
  readonly threshold: number;
}

export type BaseRole = "root" | "targets" | "snapshot" | "timestamp";

/** What a root says: the keys of the four base roles. */
export interface RootContent {
  readonly version: number;
  readonly expires: Date;
  readonly keys: readonly TufKey[];
  readonly roles: Readonly<Record<BaseRole, RoleKeys>>;
}

/** A delegation as its parent declares it; `paths` are string prefixes of tag names, "" is all. */
export interface DelegatedRole extends RoleKeys {
  readonly name: RoleName;
  readonly paths: readonly string[];
}

/** A file that metadata names: a tag's manifest, or another metadata file. */
export interface TargetFile {
  readonly length: number;
  /** Raw digests by algorithm: `sha256`, `sha512`. */
  readonly hashes: ReadonlyMap<string, Buffer>;
  readonly custom: JsonValue | undefined;
}

/** What targets or a delegation file says: tags, and further delegations. */
export interface TargetsContent {
  readonly version: number;
  readonly expires: Date;
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly keys: readonly TufKey[];
  readonly roles: readonly DelegatedRole[];
}

/** The greatest version that Notary's column can hold. */
export const maxVersion = 2 ** 31 - 1;

/**
 * The canonical bytes of a root, to be signed. Expiry is cut to whole seconds; keys and roles stand as given.
 * Throws MetadataError when a role names a key that is not among the keys, names one twice, or has a threshold it cannot reach.
 */
export function rootPayload(content: RootContent): Buffer {
  const keys = keyMap(content.keys);
  const roles = (["root", "targets", "snapshot", "timestamp"] as const).map(
    (name) => [name, record(roleFields(name, content.roles[name], keys))] as const,
  );
  return payloadOf("Root", content, [
    ["consistent_snapshot", false],
    ["keys", keys],
    ["roles", new Map(roles)],
  ]);
}

/**
 * The canonical bytes of targets or of a delegation file, to be signed. Expiry is cut to whole seconds; keys and roles stand as given.
 * A role without keys is allowed: nobody can sign for it. Otherwise throws MetadataError as `rootPayload` does, and for two roles of one name.
 */
export function targetsPayload(content: TargetsContent): Buffer {
  const keys = keyMap(content.keys);
  if (new Set(content.roles.map((role) => role.name)).size !== content.roles.length) {
    throw new MetadataError("two delegations have the same name");
  }
  const roles = content.roles.map((role) =>
    record([
      ...roleFields(role.name, role, keys),
      ["name", role.name],
      // Go leaves empty paths out, and a server's own spelling of the file would differ.
      ...(role.paths.length > 0 ? [["paths", role.paths] as const] : []),
    ]),
  );
  return payloadOf("Targets", content, [
    ["delegations", record([["keys", keys] as const, ["roles", roles] as const])],
    ["targets", new Map([...content.targets].map(([name, file]) => [name, fileValue(file)]))],
  ]);
}

/**
 * The bytes to upload: payload and signatures as notary-server itself would write them, which decides whether a publication can be read.
 * `payload` must be canonical, as the functions above and `Envelope.payload` give it.
 */
export function envelopeOf(payload: Buffer, signatures: readonly Signature[]): Buffer {
  const entries = signatures.map(({ keyId, method, sig }) =>
    record([
      ["keyid", keyId],
      ["method", method],
      ["sig", sig.toString("base64")],
    ]),
  );
  return Buffer.from(
    `{"signed":${wireJson(payload.toString("utf8"))},"signatures":${wireJson(canonicalJson(entries))}}`,
  );
}

type Field = readonly [string, JsonValue];

function payloadOf(type: string, common: { version: number; expires: Date }, fields: readonly Field[]): Buffer {
  if (!Number.isInteger(common.version) || common.version < 1 || common.version > maxVersion) {
    throw new MetadataError(`a version must be between 1 and ${maxVersion}`);
  }
  if (!isSane(common.expires)) throw new MetadataError("an expiry must be between 1970 and 9999");
  const signed = record([
    ["_type", type],
    ["expires", common.expires.toISOString().replace(/\.\d+Z$/, "Z")],
    ["version", common.version],
    ...fields,
  ]);
  return Buffer.from(canonicalJson(signed));
}

function record(fields: readonly Field[]): JsonValue {
  return new Map(fields);
}

function keyMap(keys: readonly TufKey[]): ReadonlyMap<string, JsonValue> {
  return new Map(keys.map((key) => [tufKeyIdOf(key), keyValue(key)]));
}

function roleFields(name: string, role: RoleKeys, keys: ReadonlyMap<string, JsonValue>): readonly Field[] {
  const { keyIds, threshold } = role;
  if (keyIds.some((id) => !keys.has(id))) throw new MetadataError(`${name} names a key that is not given`);
  if (new Set(keyIds).size !== keyIds.length) throw new MetadataError(`${name} names a key twice`);
  const reachable = name.includes("/") && keyIds.length === 0 ? 1 : keyIds.length;
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > reachable) {
    throw new MetadataError(`${name} has a threshold that its keys cannot reach`);
  }
  return [
    ["keyids", keyIds],
    ["threshold", threshold],
  ];
}

function fileValue(file: TargetFile): JsonValue {
  const hashes = new Map([...file.hashes].map(([name, digest]) => [name, digest.toString("base64")]));
  return record([
    ...(file.custom === undefined ? [] : [["custom", file.custom] as const]),
    ["hashes", hashes],
    ["length", file.length],
  ]);
}
