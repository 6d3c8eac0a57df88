import { type Envelope, isSignedBy, parseRoot, parseTargets } from "./envelope.ts";
import { type Finding, isFastForward, type Pins, recognise } from "./observation.ts";
import type { RootContent, TargetsContent } from "./payload.ts";
import { readable, type Trusted } from "./trusted.ts";

/** The two files that only we write. */
export type OwnRole = "root" | "targets";

/** Judges the root or targets that a read by version gave. Undefined = one of ours, in its place. */
export function judgeSlot(
  pins: Pins,
  trusted: Trusted,
  role: OwnRole,
  version: number,
  bytes: Buffer | undefined,
): Finding | undefined {
  if (bytes === undefined) return judgeGap(pins, trusted, role, version);
  if (recognise(pins.known, role, version, bytes) === "ours" || isPublished(pins, trusted, role, version, bytes)) {
    return undefined;
  }
  const file = parse(role, bytes);
  const replayed = file !== undefined && file.content.version < version && isOurs(pins, trusted, role, file);
  if (replayed) {
    return {
      kind: "ROLLBACK",
      detail: `Notary holds ${role} ${file.content.version} of ours in place of ${role} ${version}.`,
    };
  }
  return judgeForeign(pins, trusted, role, version, file, bytes);
}

/** Judges the root or targets that the newest snapshot names. Undefined = the newest of ours, or an upload of ours that landed. */
export function judgeNewest(pins: Pins, trusted: Trusted, role: OwnRole, bytes: Buffer): Finding | undefined {
  if (bytes.equals(pins[role]) && highestOf(pins, trusted, role) === publishedVersion(trusted, role)) return undefined;
  const file = parse(role, bytes);
  if (file === undefined) {
    return { kind: "BAD_SIGNATURE", detail: `The ${role} file on Notary cannot be read as metadata.` };
  }
  const { version } = file.content;
  if (!isOurs(pins, trusted, role, file)) return judgeForeign(pins, trusted, role, version, file, bytes);
  const highest = highestOf(pins, trusted, role);
  if (version >= highest) return undefined;
  return { kind: "ROLLBACK", detail: `Notary shows ${role} ${version} as the newest; ${highest} was there before.` };
}

/** Versions that we published must be there; the one after may be empty, and so may gaps between targets. */
function judgeGap(pins: Pins, trusted: Trusted, role: OwnRole, version: number): Finding | undefined {
  // The cheap look ends here, and need not parse the pins.
  if (version > (pins.highest.get(role) ?? Number.POSITIVE_INFINITY)) return undefined;
  const published = publishedVersion(trusted, role);
  const stood = version === published || (role === "root" && version < published);
  return stood
    ? { kind: "VANISHED", detail: `Notary no longer holds ${role} ${version}, which we published.` }
    : undefined;
}

/** Bytes that are not ours, at a version as the slot or else the file says. */
function judgeForeign(
  pins: Pins,
  trusted: Trusted,
  role: OwnRole,
  version: number,
  file: OwnFile | undefined,
  bytes: Buffer,
): Finding {
  const published = publishedVersion(trusted, role);
  const above = version > published;
  const signers = file === undefined ? "none" : signersOf(pins, trusted, role, file);
  if (above && signers === "own") {
    const detail = `${role} ${version} on Notary is signed by our own key, but this database knows nothing newer than ${role} ${published}: it seems to be restored from an older state.`;
    return { kind: "DATABASE_BEHIND", detail };
  }
  if (!above || recognise(pins.known, role, version, bytes) !== "unknown") {
    return {
      kind: "FOREIGN_CHANGE",
      detail: `${role} ${version} on Notary has other bytes than we made for that version.`,
    };
  }
  if (signers === "none") {
    return {
      kind: "BAD_SIGNATURE",
      detail: `${role} ${version} on Notary is not validly signed by the ${role} key of our root.`,
    };
  }
  if (isFastForward(version, highestOf(pins, trusted, role))) {
    return {
      kind: "FAST_FORWARD",
      detail: `${role} on Notary jumped from ${published} to ${version}, signed by a key of the role that is not ours alone.`,
    };
  }
  return {
    kind: "FOREIGN_CHANGE",
    detail: `${role} ${version} on Notary is signed by a key of the role that is not ours alone.`,
  };
}

type OwnFile = Envelope<RootContent | TargetsContent>;

function parse(role: OwnRole, bytes: Buffer): OwnFile | undefined {
  return readable(() => (role === "root" ? parseRoot(bytes) : parseTargets(bytes)));
}

function isOurs(pins: Pins, trusted: Trusted, role: OwnRole, file: OwnFile): boolean {
  const { version } = file.content;
  return (
    recognise(pins.known, role, version, file.bytes) === "ours" || isPublished(pins, trusted, role, version, file.bytes)
  );
}

function isPublished(pins: Pins, trusted: Trusted, role: OwnRole, version: number, bytes: Buffer): boolean {
  return bytes.equals(pins[role]) && version === publishedVersion(trusted, role);
}

/** Whose valid signature stands on the file: a key of the role that only we hold, enough keys of the role, or neither. */
function signersOf(pins: Pins, trusted: Trusted, role: OwnRole, file: OwnFile): "own" | "role" | "none" {
  const { keys, roles } = trusted.root;
  const keyIds = roles[role].keyIds.filter((id) => !pins.foreignKeys?.has(id));
  if (isSignedBy(file, keys, { keyIds, threshold: 1 })) return "own";
  return isSignedBy(file, keys, roles[role]) ? "role" : "none";
}

function publishedVersion(trusted: Trusted, role: OwnRole): number {
  return role === "root" ? trusted.rootVersion : trusted.targetsVersion;
}

function highestOf(pins: Pins, trusted: Trusted, role: OwnRole): number {
  return Math.max(pins.highest.get(role) ?? 0, publishedVersion(trusted, role));
}
