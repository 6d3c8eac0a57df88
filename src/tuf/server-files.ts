import { type Envelope, type FileListContent, isSignedBy, parseSnapshot, parseTimestamp } from "./envelope.ts";
import { tufKeyIdOf } from "./key.ts";
import { type Finding, isFastForward, type Pins, sha256Of } from "./observation.ts";
import { readable, type Trusted } from "./trusted.ts";

/** The two files that the Notary server writes. */
export type ServerRole = "snapshot" | "timestamp";

/** A snapshot or timestamp as it was read. */
export type FileList = Envelope<FileListContent>;

export interface ServerFile {
  /** Undefined = valid by the keys of our root, and not older than allowed. */
  readonly finding: Finding | undefined;
  readonly file: FileList | undefined;
}

/**
 * Judges a snapshot or timestamp. `slot` is the version it was asked for by; without it the file is the newest,
 * and may not be below the highest ever verified. Expiry does not count: any GET renews it.
 */
export function judgeServerFile(
  pins: Pins,
  trusted: Trusted,
  role: ServerRole,
  bytes: Buffer,
  slot?: number,
): ServerFile {
  const file = readable(() => (role === "snapshot" ? parseSnapshot(bytes) : parseTimestamp(bytes)));
  if (file === undefined) {
    return { finding: { kind: "BAD_SIGNATURE", detail: `The ${role} on Notary cannot be read as metadata.` }, file };
  }
  return { finding: judgeSigners(trusted, role, file) ?? judgeVersion(pins, role, file.content.version, slot), file };
}

/** Whether the list names exactly these bytes. Undefined = it does. */
export function judgeNamed(list: FileList | undefined, role: string, bytes: Buffer): Finding | undefined {
  const entry = list?.content.meta.get(role);
  if (entry === undefined) return undefined;
  if (entry.hashes.get("sha256")?.toString("hex") === sha256Of(bytes) && entry.length === bytes.length) {
    return undefined;
  }
  return {
    kind: "BAD_SIGNATURE",
    detail: `The ${role} on Notary is not the file that the signed list above it names.`,
  };
}

function judgeSigners(trusted: Trusted, role: ServerRole, file: FileList): Finding | undefined {
  const { keys, roles } = trusted.root;
  if (isSignedBy(file, keys, roles[role])) return undefined;
  const named = new Set(keys.map(tufKeyIdOf));
  const foreign = file.signatures.length > 0 && !file.signatures.some(({ keyId }) => named.has(keyId));
  const { version } = file.content;
  return foreign
    ? { kind: "FOREIGN_KEY", detail: `${role} ${version} on Notary is signed by a key that our root does not name.` }
    : {
        kind: "BAD_SIGNATURE",
        detail: `${role} ${version} on Notary is not validly signed by the ${role} key of our root.`,
      };
}

function judgeVersion(pins: Pins, role: ServerRole, version: number, slot: number | undefined): Finding | undefined {
  const highest = pins.highest.get(role);
  const least = slot ?? highest ?? 0;
  if (version < least) {
    return { kind: "ROLLBACK", detail: `Notary shows ${role} ${version} in place of ${least} or newer.` };
  }
  if (isFastForward(version, highest)) {
    return {
      kind: "FAST_FORWARD",
      detail: `${role} on Notary stands at ${version}; the highest before was ${highest ?? 0}.`,
    };
  }
  return undefined;
}
