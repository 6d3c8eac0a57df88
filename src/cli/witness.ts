import { SignatureState, type SignedTag } from "../../gen/imagetrust/v1/signature.ts";

/** A role that is to be signed again, and what its newest file on Notary holds. */
export interface WitnessedRole {
  readonly role: string;
  readonly version: number;
  readonly tags: readonly WitnessedTag[];
}

export interface WitnessedTag {
  readonly tag: string;
  readonly digest: string;
  readonly length: number;
  /** The members who had signed it; empty for keys of nobody we know. */
  readonly introducedBy: readonly string[];
}

/** What the roles wanted hold, or, where none is named, those of the member's roles that no valid signature covers. */
export function witnessedRoles(
  tags: readonly SignedTag[],
  own: readonly string[],
  wanted: readonly string[],
): readonly WitnessedRole[] {
  const signatures = tags.flatMap((tag) => tag.signatures.map((signature) => ({ tag: tag.tag, signature })));
  return own.flatMap((role) => {
    const held = signatures.filter(({ signature }) => signature.role === role);
    const isOrphaned = held.some(({ signature }) => signature.state === SignatureState.ORPHANED);
    const [first] = held;
    if (first === undefined || (wanted.length === 0 ? !isOrphaned : !wanted.includes(role))) return [];
    return [{ role, version: first.signature.version, tags: held.map(witnessedTag) }];
  });
}

function witnessedTag({
  tag,
  signature,
}: {
  readonly tag: string;
  readonly signature: SignedTag["signatures"][number];
}): WitnessedTag {
  const { digest, length, introducedBy } = signature;
  return { tag, digest, length: Number(length), introducedBy: [...new Set(introducedBy.map(({ member }) => member))] };
}
