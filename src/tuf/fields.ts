import { isObject, type JsonObject, type JsonValue } from "./json.ts";
import { MetadataError } from "./metadata-error.ts";

/**
 * The value as an object with the given fields. Other names are allowed, but not spellings that differ from a field only in case:
 * Go's decoder would take them for the field, so a client would read another file than we do.
 */
export function recordOf(value: JsonValue | undefined, what: string, fields: readonly string[]): JsonObject {
  if (!isObject(value)) throw new MetadataError(`${what} is not an object`);
  for (const name of value.keys()) {
    if (fields.includes(name)) continue;
    if (fields.includes(name.toUpperCase().toLowerCase())) throw new MetadataError(`${what} has a misspelt field`);
  }
  return value;
}

/** The value as a map from free names; null and absence are the empty map, as in Go. */
export function mapOf(value: JsonValue | undefined, what: string): JsonObject {
  if (value === undefined || value === null) return new Map();
  if (!isObject(value)) throw new MetadataError(`${what} is not an object`);
  return value;
}

/** The value as a list of at most `most` items; null and absence are the empty list, as in Go. */
export function listOf(value: JsonValue | undefined, what: string, most: number = 100_000): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new MetadataError(`${what} is not a list`);
  if (value.length > most) throw new MetadataError(`${what} has more than ${most} items`);
  return value as readonly JsonValue[];
}

export function textOf(value: JsonValue | undefined, what: string): string {
  if (typeof value !== "string") throw new MetadataError(`${what} is not a string`);
  return value;
}

export function integerOf(value: JsonValue | undefined, what: string, least: number, most: number): number {
  if (typeof value !== "number") throw new MetadataError(`${what} is not a number`);
  if (value < least || value > most) throw new MetadataError(`${what} is not between ${least} and ${most}`);
  return value;
}

/** Standard base64 with padding, in its one canonical spelling. */
export function bytesOf(value: JsonValue | undefined, what: string): Buffer {
  const text = textOf(value, what);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new MetadataError(`${what} is not base64`);
  return bytes;
}

const moment =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** A moment as Go's time.RFC3339Nano writes it, of the years 1970 to 9999; what is finer than milliseconds is cut off. */
export function momentOf(value: JsonValue | undefined, what: string): Date {
  const match = moment.exec(textOf(value, what));
  if (match === null) throw new MetadataError(`${what} is not an RFC 3339 time`);
  const [text, year, month, day] = match;
  const date = new Date(text);
  const calendar = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const exists = calendar.getUTCMonth() === Number(month) - 1 && calendar.getUTCDate() === Number(day);
  if (!exists || !isSane(date)) throw new MetadataError(`${what} is not a time between 1970 and 9999`);
  return date;
}

/** Whether the moment can stand in metadata: a valid date of the years 1970 to 9999. */
export function isSane(date: Date): boolean {
  return date.getTime() >= 0 && date.getTime() < Date.UTC(10_000, 0, 1);
}
