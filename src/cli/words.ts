import type { KeyRef, RoleVersion } from "../../gen/imagetrust/v1/change.ts";

/** Whole seconds of UTC, such as `2026-03-01T12:00:00Z`; `-` where there is none. */
export function timeText(time: Date | undefined): string {
  return time === undefined ? "-" : `${time.toISOString().slice(0, 19)}Z`;
}

/** A list of path prefixes, `all` where nothing is left out. */
export function pathsText(paths: readonly string[]): string {
  return paths.length === 0 || paths.includes("") ? "all" : paths.join(", ");
}

/** `yes` or `no`. */
export function yesNo(claim: boolean): string {
  return claim ? "yes" : "no";
}

/** Labels as `key=value`, ordered by key. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

/** Whose key it is, and the beginning of the id that the notary CLI shows. */
export function keyText(key: KeyRef): string {
  const owner = key.member === "" ? key.backend : key.member;
  return `${owner}${owner === "" ? "" : ":"}${key.canonicalKeyId.slice(0, 12)}`;
}

/** Roles and their versions, such as `targets 3, targets/qa 1`. */
export function versionsText(roles: readonly RoleVersion[]): string {
  return roles.map(({ role, version }) => `${role} ${version === 0 ? "unsigned" : version}`).join(", ");
}

/** What a person does to get the rest of a list; empty where it is complete. */
export function moreText(nextPageToken: string): string {
  return nextPageToken === "" ? "" : `More: repeat with --page-token ${nextPageToken}, or with --all.\n`;
}
