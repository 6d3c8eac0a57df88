import type { KeyRef } from "../../changes/plan.ts";
import type { CanonicalKeyId, Gun, MemberId, Parsed, RoleName, TeamId, TufKeyId } from "../../names.ts";

/** Decided is what the database wants of Notary, live what was published and read back. */
export type Axis = "DECIDED" | "LIVE";

/** From when to when something was so; `since` is included, `until` is not, and undefined while it still is so. */
export interface Interval {
  readonly since: Date;
  readonly until: Date | undefined;
}

/** The right of one key to sign one collection through one team; see imagetrust.v1.Authority. */
export interface Right {
  readonly gun: Gun;
  readonly team: TeamId | "";
  /** The team's first; prefixes of tag names, `""` is every tag. */
  readonly roles: readonly { readonly role: RoleName; readonly paths: readonly string[] }[];
  readonly key: KeyRef;
  /** Hex; empty where no certificate is known, as `certificateEndsAt` is undefined. */
  readonly certificateSha256: string;
  readonly certificateEndsAt: Date | undefined;
  readonly decided: Interval | undefined;
  readonly live: Interval | undefined;
}

/** A right as the stores find it; null where nothing is known of it. */
export interface RightRow {
  readonly gun: Gun;
  readonly team: TeamId | "";
  readonly role: RoleName;
  readonly paths: readonly string[] | null;
  readonly inReleases: boolean;
  readonly releasesPaths: readonly string[] | null;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  readonly algorithm: string | null;
  readonly member: MemberId | null;
  readonly certificate: string | null;
  readonly sha256: Buffer | null;
  readonly endsAt: Date | null;
  readonly decidedSince: Date | null;
  readonly decidedUntil: Date | null;
  readonly liveSince: Date | null;
  readonly liveUntil: Date | null;
}

/** Where a page begins: behind this right. */
export interface Place {
  readonly gun: string;
  readonly role: string;
  readonly key: string;
}

declare const brand: unique symbol;
/** 64 hex digits that name a key: its TUF id, its canonical id, or the SHA-256 of its certificate. */
export type KeyName = string & { readonly [brand]: "KeyName" };

/** Parses the name of a key; the colons and capitals of a fingerprint as tools print it are taken. */
export function parseKeyName(text: string): Parsed<KeyName> {
  const name = text.replaceAll(":", "").toLowerCase();
  if (text.length > 128 || !/^[0-9a-f]{64}$/.test(name)) {
    return { ok: false, fault: "must be a key id or the SHA-256 of a certificate: 64 hex digits" };
  }
  return { ok: true, value: name as KeyName };
}
