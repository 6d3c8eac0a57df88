import type { RoleName, TufKeyId } from "../names.ts";
import { type Envelope, isSignedBy, keysThatSigned, parseTargets } from "./envelope.ts";
import { type TufKey, tufKeyIdOf } from "./key.ts";
import type { TargetFile, TargetsContent } from "./payload.ts";
import { readable } from "./trusted.ts";

/** What a targets file lets a role do. */
export interface RoleGrant {
  readonly keys: readonly TufKey[];
  readonly threshold: number;
  /** Prefixes of the names that it may sign. */
  readonly paths: readonly string[];
}

/** What becomes of a role's file when the role changes. Tags are in the file's order. */
export interface FileFate {
  readonly version: number;
  readonly targets: ReadonlyMap<string, TargetFile>;
  /** Trusted before and not after. */
  readonly orphaned: readonly string[];
  /** Trusted after and not before. */
  readonly revived: readonly string[];
  /** Trusted before and after. */
  readonly kept: readonly string[];
  /** The keys that leave the role, and those that join it. */
  readonly leaving: readonly TufKey[];
  readonly joining: readonly TufKey[];
  /** The keys of the role that signed the file. */
  readonly signedBefore: readonly TufKey[];
  readonly signedAfter: readonly TufKey[];
}

/**
 * Judges a role's file by the role before and after a change; undefined: the role is not there. A file counts or not as a whole, and
 * its tags as far as the role's paths go (TUF 5.6.7; Notary, client/tufclient.go and tuf/tuf.go, WalkTargets). Expiry does not count.
 * Undefined for bytes that are no delegation file: they are trusted neither before nor after.
 */
export function fateOfFile(
  bytes: Buffer,
  before: RoleGrant | undefined,
  after: RoleGrant | undefined,
): FileFate | undefined {
  const envelope = readable(() => parseTargets(bytes));
  if (envelope === undefined) return undefined;
  const { version, targets } = envelope.content;
  const held = trustedBy(envelope, before);
  const holds = trustedBy(envelope, after);
  const tags = [...targets.keys()];
  return {
    version,
    targets,
    orphaned: tags.filter((tag) => held(tag) && !holds(tag)),
    revived: tags.filter((tag) => !held(tag) && holds(tag)),
    kept: tags.filter((tag) => held(tag) && holds(tag)),
    leaving: without(before, after),
    joining: without(after, before),
    signedBefore: signersOf(envelope, before),
    signedAfter: signersOf(envelope, after),
  };
}

/**
 * The tags that stay trusted although a key that leaves has put them there: it signed the file, or the file in which the role first
 * named the image, which `introducedBy` tells by tag where that is known.
 */
export function outlivingTags(
  { kept, leaving, signedBefore }: FileFate,
  introducedBy: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const left = new Set<string>(leaving.map(tufKeyIdOf));
  if (signedBefore.some((key) => left.has(tufKeyIdOf(key)))) return kept;
  return kept.filter((tag) => introducedBy.get(tag)?.some((id) => left.has(id)));
}

/** What these targets let a role do; undefined: it is not delegated. */
export function grantOf(targets: TargetsContent, name: RoleName): RoleGrant | undefined {
  const role = targets.roles.find((one) => one.name === name);
  if (role === undefined) return undefined;
  const ids = new Set<TufKeyId>(role.keyIds);
  return { ...role, keys: targets.keys.filter((key) => ids.has(tufKeyIdOf(key))) };
}

function trustedBy(envelope: Envelope<TargetsContent>, grant: RoleGrant | undefined): (tag: string) => boolean {
  if (grant === undefined || !isSignedBy(envelope, grant.keys, { ...grant, keyIds: grant.keys.map(tufKeyIdOf) }))
    return () => false;
  return (tag) => grant.paths.some((path) => tag.startsWith(path));
}

function signersOf(envelope: Envelope<TargetsContent>, grant: RoleGrant | undefined): readonly TufKey[] {
  return grant === undefined ? [] : keysThatSigned(envelope, grant.keys, { keyIds: grant.keys.map(tufKeyIdOf) });
}

function without(one: RoleGrant | undefined, other: RoleGrant | undefined): readonly TufKey[] {
  const ids = new Set(other?.keys.map(tufKeyIdOf));
  return (one?.keys ?? []).filter((key) => !ids.has(tufKeyIdOf(key)));
}
