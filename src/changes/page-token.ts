import { createHash } from "node:crypto";
import { Fault } from "../errors.ts";
import type { Parsed } from "../names.ts";

/** Which page of a list is asked for. */
export interface PageRequest {
  readonly size: number;
  /** From the page before; empty for the first page. */
  readonly token: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextToken: string;
}

/** One listing: what is listed, by which filter, and the form of each part of the key its rows are ordered by. */
export interface Listing {
  readonly name: string;
  readonly filter: Readonly<Record<string, string | readonly string[]>>;
  readonly key: readonly RegExp[];
}

const defaultSize = 50;
const greatestSize = 1_000;

/** Parses page_size: 0 asks for 50, more than 1,000 gives 1,000. */
export function parsePageSize(size: number): Parsed<number> {
  if (!Number.isInteger(size) || size < 0) {
    return { ok: false, fault: `must be between 1 and ${greatestSize}, or 0 for ${defaultSize}` };
  }
  return { ok: true, value: size === 0 ? defaultSize : Math.min(size, greatestSize) };
}

/**
 * The key of the last row of the page before, each part in the listing's form, or undefined for the first page.
 * A token that another listing or another filter gave, or nobody, is refused: INVALID_FIELD of page_token.
 */
export function readPageToken(listing: Listing, token: string): readonly string[] | undefined {
  if (token === "") return undefined;
  const [digest, ...key] = partsOf(token);
  const fits = key.length === listing.key.length && listing.key.every((form, at) => form.test(key[at] ?? ""));
  if (digest !== digestOf(listing) || !fits) throw foreignToken();
  return key;
}

/** Makes a page of the rows found, which must be one more than asked for where there are more. */
export function pageOf<T>(
  listing: Listing,
  size: number,
  found: readonly T[],
  keyOf: (item: T) => readonly string[],
): Page<T> {
  const items = found.slice(0, size);
  const last = items.at(-1);
  if (found.length <= size || last === undefined) return { items, nextToken: "" };
  return { items, nextToken: pageToken(listing, keyOf(last)) };
}

/** The token of the page behind the row with this key. */
export function pageToken(listing: Listing, key: readonly string[]): string {
  return Buffer.from(JSON.stringify([digestOf(listing), ...key])).toString("base64url");
}

const longestToken = 1_024;

function partsOf(token: string): readonly string[] {
  if (token.length > longestToken || !/^[A-Za-z0-9_-]+$/.test(token)) throw foreignToken();
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, "base64url").toString());
  } catch {
    throw foreignToken();
  }
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === "string")) throw foreignToken();
  return parts;
}

function digestOf(listing: Listing): string {
  const filter = Object.entries(listing.filter)
    .map(([name, value]) => [name, typeof value === "string" ? value : [...value].sort()] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([listing.name, filter]))
    .digest("base64url")
    .slice(0, 16);
}

function foreignToken(): Fault {
  return new Fault("INVALID_FIELD", "The page token does not belong to this list; begin again without one.", {
    fields: [{ field: "page_token", fault: "must be the next_page_token of the same list with the same filter" }],
  });
}
