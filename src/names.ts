declare const brand: unique symbol;
type Branded<B extends string> = string & { readonly [brand]: B };

/** Notary's globally unique name of a repository, such as `dtr.example.org/dev/nginx`: a registry host and a repository path. */
export type Gun = Branded<"Gun">;
/** How the GUNs of some repositories begin; empty for all. */
export type GunPrefix = Branded<"GunPrefix">;
/** The id of a team: the role name behind `targets/`. */
export type TeamId = Branded<"TeamId">;
/** The id of a member: a person or a robot. */
export type MemberId = Branded<"MemberId">;
/** A TUF role: a base role, or a delegation below `targets/`. */
export type RoleName = Branded<"RoleName">;
/** Hex SHA-256 of a key's canonical JSON as it stands in metadata (Notary's TUF key id). */
export type TufKeyId = Branded<"TufKeyId">;
/** Hex SHA-256 of the bare public key's canonical JSON (Notary's canonical key id); equals the TUF id for keys that are no certificate. */
export type CanonicalKeyId = Branded<"CanonicalKeyId">;

/** The name of a signed tag, such as `1.0`. */
export type TagName = Branded<"TagName">;

/** What parsing untrusted text gives: the value, or a sentence that says what is wrong and what would be right. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

const ok = <T>(value: string): Parsed<T> => ({ ok: true, value: value as T });
const no = (fault: string): { readonly ok: false; readonly fault: string } => ({ ok: false, fault });

const host = /^(?:localhost|(?=[^/]*[.:])[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?$/;
const segment = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/;

/**
 * Parses a GUN: a registry host (with a dot, a port, or `localhost`) and at least one path segment, at most 255 bytes.
 * Source: the reference grammar of distribution (reference/reference.go) and Notary's varchar(255) column.
 */
export function parseGun(text: string): Parsed<Gun> {
  if (text === "") return no("must not be empty; give the full repository name, such as dtr.example.org/dev/nginx");
  if (Buffer.byteLength(text) > 255) return no("must be at most 255 bytes");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) return no("must not contain control characters");
  if (text.includes("*")) return no("must name one repository; `*` is not allowed");
  if (/[A-Z]/.test(text)) return no("must be lower case");
  const segments = text.split("/");
  if (segments.includes("")) return no("must not contain empty path segments");
  if (segments.includes("..") || segments.includes(".")) return no("must not contain `.` or `..` segments");
  const [first = "", ...path] = segments;
  if (!host.test(first) || first.includes("..")) {
    return no("must begin with a registry host: a name with a dot or a port, or localhost");
  }
  if (path.length === 0)
    return no("must name a repository behind the registry host, such as dtr.example.org/dev/nginx");
  const bad = path.find((part) => !segment.test(part));
  if (bad !== undefined) {
    return no("each path segment must be lower-case letters and digits, separated by single `.`, `_`, `__` or dashes");
  }
  return ok<Gun>(text);
}

/** Parses how GUNs begin: at most 255 of the characters that GUNs are made of. */
export function parseGunPrefix(text: string): Parsed<GunPrefix> {
  if (/^[a-z0-9.:_/-]{0,255}$/.test(text)) return ok<GunPrefix>(text);
  return no("must be the beginning of a GUN: at most 255 lower-case letters, digits and `. : _ / -`");
}

/** The text before which all texts stand that begin with a prefix, and from the prefix on no other: no text holds what it ends with. */
export function endOfPrefix(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}

/** The registry host of a GUN, port included. */
export function registryHostOf(gun: Gun): string {
  return gun.slice(0, gun.indexOf("/"));
}

/** Parses a team id; source: docker trust's signer names (docker/cli signer_add.go), at most 64 characters. */
export function parseTeamId(text: string): Parsed<TeamId> {
  if (text === "") return no("must not be empty");
  if (text.length > 64) return no("must be at most 64 characters");
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(text)) {
    return no("must be lower-case letters, digits, `_` or `-`, beginning with a letter or digit");
  }
  if (text === "releases") return no("must not be `releases`: that role belongs to every included team");
  return ok<TeamId>(text);
}

/** Parses a member id: as a team id, and additionally `.` and `@`, so that names and mail addresses of directories fit. */
export function parseMemberId(text: string): Parsed<MemberId> {
  if (text === "") return no("must not be empty");
  if (text.length > 64) return no("must be at most 64 characters");
  if (!/^[a-z0-9][a-z0-9_.@-]*$/.test(text)) {
    return no("must be lower-case letters, digits, `_`, `-`, `.` or `@`, beginning with a letter or digit");
  }
  return ok<MemberId>(text);
}

/** Parses a hex SHA-256 that names a key. */
export function parseKeyId(text: string): Parsed<CanonicalKeyId> {
  if (!/^[0-9a-f]{64}$/.test(text)) return no("must be 64 lower-case hex digits");
  return ok<CanonicalKeyId>(text);
}

/**
 * Parses the name of a signed tag. Members write these names, and the notary CLI takes any text: what cannot be stored and shown
 * is refused, which all tags that registries know (at most 128 of `[A-Za-z0-9_.-]`) are far from.
 */
export function parseTagName(text: string): Parsed<TagName> {
  if (text === "") return no("must not be empty");
  if (Buffer.byteLength(text) > 255) return no("must be at most 255 bytes");
  if (!text.isWellFormed() || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) return no("must not contain control characters");
  return ok<TagName>(text);
}

/** The delegation role of a team: `targets/<team>`. */
export function roleOf(team: TeamId): RoleName {
  return `targets/${team}` as RoleName;
}

export const rootRole = "root" as RoleName;
export const targetsRole = "targets" as RoleName;
export const snapshotRole = "snapshot" as RoleName;
export const timestampRole = "timestamp" as RoleName;
/** The role that docker pulls from, beside `targets`: the union of the included teams' keys. */
export const releasesRole = "targets/releases" as RoleName;
