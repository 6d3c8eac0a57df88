import type { RoleName, TufKeyId } from "../names.ts";
import { isSignedBy, keysThatSigned, MetadataError, parseTargets } from "./envelope.ts";
import type { TufKey } from "./key.ts";
import type { TargetFile, TargetsContent } from "./payload.ts";

/** A delegation file as a targets file judges it. */
export interface SignedFile {
  readonly version: number;
  readonly expires: Date;
  readonly targets: ReadonlyMap<string, TargetFile>;
  /** Whether enough keys of the role signed it. Expiry does not count. */
  readonly isValid: boolean;
  /** The keys of the role that signed it, also where they are not enough. */
  readonly signedBy: readonly TufKey[];
  /** The keys that its signatures name, each once; a claim, not a verification. */
  readonly claimedBy: readonly TufKeyId[];
}

/** Judges a delegation file by the keys and the threshold that these targets give its role. Undefined for bytes that are none. */
export function judgeSignedFile(targets: TargetsContent, role: RoleName, bytes: Buffer): SignedFile | undefined {
  try {
    const envelope = parseTargets(bytes);
    const { version, expires, targets: tags } = envelope.content;
    const delegated = targets.roles.find(({ name }) => name === role);
    const signedBy = delegated === undefined ? [] : keysThatSigned(envelope, targets.keys, delegated);
    const isValid = delegated !== undefined && isSignedBy(envelope, targets.keys, delegated);
    const claimedBy = [...new Set(envelope.signatures.map(({ keyId }) => keyId))];
    return { version, expires, targets: tags, isValid, signedBy, claimedBy };
  } catch (error) {
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}
