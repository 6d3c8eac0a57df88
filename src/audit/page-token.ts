import { createHash } from "node:crypto";
import { Fault } from "../errors.ts";
import { canonicalBytes } from "./canonical.ts";

/**
 * A place in a listing, newest first: only entries below `before` follow. The log never changes below an index, so a listing
 * is stable however much is appended meanwhile.
 */
export interface PagePlace {
  readonly before: bigint;
}

/** The opaque text of a place; it is good for listings with the same filter only. */
export function pageTokenOf(place: PagePlace, filter: unknown): string {
  const bytes = Buffer.alloc(25);
  bytes.writeUInt8(version, 0);
  bytes.writeBigInt64BE(place.before, 1);
  filterHash(filter).copy(bytes, 9);
  return bytes.toString("base64url");
}

/** Parses a token from outside; undefined for the first page. Throws Fault INVALID_FIELD for one that no listing with this filter gave out. */
export function parsePageToken(token: string, filter: unknown): PagePlace | undefined {
  if (token === "") return undefined;
  const bytes = Buffer.from(token, "base64url");
  const isOurs = bytes.length === 25 && bytes.readUInt8(0) === version && bytes.toString("base64url") === token;
  if (!isOurs || !bytes.subarray(9).equals(filterHash(filter)) || bytes.readBigInt64BE(1) < 0n) {
    throw new Fault("INVALID_FIELD", "The page_token does not belong to this listing.", {
      fields: [
        { field: "page_token", fault: "must be the next_page_token of a listing with the same filters, or empty" },
      ],
    });
  }
  return { before: bytes.readBigInt64BE(1) };
}

const version = 1;

function filterHash(filter: unknown): Buffer {
  return createHash("sha256").update(canonicalBytes(filter)).digest().subarray(0, 16);
}
