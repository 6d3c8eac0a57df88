import type { TufKeyId } from "../names.ts";
import { type Envelope, isSignedBy, MetadataError, parseTargets } from "./envelope.ts";
import { type TufKey, tufKeyIdOf } from "./key.ts";
import type { TargetsContent } from "./payload.ts";

/** What a delegation file says, before anybody asks whether it is valid. */
export interface DelegationFileView {
  readonly version: number;
  readonly expires: Date;
  /** In the file's order. */
  readonly tags: readonly string[];
  /** The keys its signatures name; a claim, not a verification. */
  readonly signedBy: readonly TufKeyId[];
}

/** Reads a delegation file. Throws MetadataError for bytes that are none. */
export function viewDelegationFile(bytes: Buffer): DelegationFileView {
  return viewOf(parseTargets(bytes));
}

/** The view of a delegation file that was read already. */
export function viewOf({ content, signatures }: Envelope<TargetsContent>): DelegationFileView {
  return {
    version: content.version,
    expires: content.expires,
    tags: [...content.targets.keys()],
    signedBy: [...new Set(signatures.map((signature) => signature.keyId))],
  };
}

/** Whether the file would verify if its role had exactly these keys. False for bytes that are no delegation file. Expiry does not count. */
export function isValidWith(bytes: Buffer, keys: readonly TufKey[], threshold: number): boolean {
  try {
    return isSignedBy(parseTargets(bytes), keys, { keyIds: keys.map(tufKeyIdOf), threshold });
  } catch (error) {
    if (error instanceof MetadataError) return false;
    throw error;
  }
}
