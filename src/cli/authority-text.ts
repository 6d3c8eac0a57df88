import {
  type Authority,
  AuthorityAxis,
  type AuthorityInterval,
  type ListAuthorityResponse,
} from "../../gen/imagetrust/v1/delegation.ts";
import { table } from "./table.ts";
import { printable } from "./terminal.ts";
import { moreText, pathsText, timeText } from "./words.ts";

/** What was asked; empty where it was not. */
export interface Asked {
  readonly gun: string;
  readonly team: string;
  readonly member: string;
  readonly key: string;
  readonly axis: AuthorityAxis;
}

/** A sentence that says what the rows are, the rows, and what is not known. */
export function authorityText(asked: Asked, answer: ListAuthorityResponse): string {
  const { authorities, nextPageToken } = answer;
  const rows = authorities.length === 0 ? "" : table(headings, authorities.map(rowOf));
  const lines = [headline(asked, answer), ...unknownOf(asked, answer)].map((line) => `${printable(line)}\n`);
  return `${lines.join("")}${rows}${moreText(nextPageToken)}`;
}

const headings = ["GUN", "TEAM", "MEMBER", "ROLES", "PATHS", "KEY", "CERTIFICATE ENDS", "DECIDED", "LIVE"];

function rowOf({ gun, team, roles, key, certificateExpireTime, decided, live }: Authority): readonly string[] {
  return [
    gun,
    team || "-",
    key?.member || "-",
    roles.map(({ role }) => role).join(" "),
    pathsText(roles[0]?.paths ?? []),
    key?.canonicalKeyId.slice(0, 12) ?? "",
    timeText(certificateExpireTime),
    intervalText(decided),
    intervalText(live),
  ];
}

function intervalText(interval: AuthorityInterval | undefined): string {
  if (interval === undefined) return "no";
  const since = `since ${timeText(interval.since)}`;
  return interval.until === undefined ? since : `${since} until ${timeText(interval.until)}`;
}

/** Such as "By decision, at 2026-03-01T12:00:00Z, member alice may sign nothing." */
function headline({ gun, team, member, key, axis }: Asked, answer: ListAuthorityResponse): string {
  const { authorities, asOf, complete } = answer;
  if (gun !== "" && !complete) return `At ${timeText(asOf)} ${gun} was not known here.`;
  const named = [
    ...(member === "" ? [] : [`member ${member}`]),
    ...(key === "" ? [] : [`key ${key}`]),
    ...(team === "" ? [] : [`team ${team}`]),
  ];
  const where = axis === AuthorityAxis.LIVE ? "On Notary" : "By decision";
  const found = authorities.length > 0;
  const who = named.length > 0 ? `${named.join(", ")} may` : found ? "these may" : "nobody may";
  const what = named.length > 0 && !found ? "sign nothing" : "sign";
  const of = gun === "" ? "" : ` ${named.length > 0 && !found ? "of " : ""}${gun}`;
  return `${where}, at ${timeText(asOf)}, ${who} ${what}${of}${found ? ":" : "."}`;
}

/** An answer about a time at which not all was known must not be taken for all that there was. */
function unknownOf({ gun }: Asked, { complete, knownSince }: ListAuthorityResponse): readonly string[] {
  if (complete || knownSince === undefined) return [];
  if (gun !== "") return [`${gun} is known here since ${timeText(knownSince)}; who could sign it before is unknown.`];
  const since = timeText(knownSince);
  return [`Not all repositories were known then, as all are since ${since}; who could sign the others is unknown.`];
}
