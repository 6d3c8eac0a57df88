import { type CanonicalKeyId, endOfPrefix, type Gun, type RoleName, type TeamId, type TufKeyId } from "../../names.ts";
import type { Place } from "./right.ts";
import type { KnownKey } from "./subject-store.ts";

/** What is asked, as the stores take it: at least one of the first three is given. */
export interface Question {
  readonly collectionId: bigint | undefined;
  readonly team: TeamId | "";
  /** Undefined: whatever the key. */
  readonly keys: readonly KnownKey[] | undefined;
  readonly gunPrefix: string;
  readonly at: Date;
  readonly after: Place;
}

/** A place in the order of rights. */
export interface Ordered {
  readonly gun: Gun;
  readonly role: RoleName;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
}

/** Whether a right lies behind the place a page begins at. All three parts are ASCII, in the database's order by bytes. */
export function isBehind({ gun, role, tufKeyId }: Ordered, after: Place): boolean {
  if (gun !== after.gun) return gun > after.gun;
  if (role !== after.role) return role > after.role;
  return tufKeyId > after.key;
}

export function inOrder(one: Ordered, other: Ordered): number {
  return isBehind(one, { gun: other.gun, role: other.role, key: other.tufKeyId }) ? 1 : -1;
}

/** What bounds the GUNs of a list, from that of the page's beginning on. */
export function gunsFrom({ gunPrefix }: Question, from: string): { readonly from: string; readonly end: string } {
  return { from: from > gunPrefix ? from : gunPrefix, end: endOfPrefix(gunPrefix) };
}

/** The condition that a decided row held at the instant. */
export function at(row: string): string {
  return `${row}.valid_from <= :at and (${row}.valid_to is null or ${row}.valid_to > :at)`;
}

/** The condition that a row was live at the instant. */
export function liveAt(row: string): string {
  return `${row}.live_from <= :at and (${row}.live_to is null or ${row}.live_to > :at)`;
}
