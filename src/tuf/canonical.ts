import { isObject, type JsonValue } from "./json.ts";
import { MetadataError } from "./metadata-error.ts";

/**
 * The canonical JSON that Notary signs and hashes: names sorted by their UTF-8 bytes, no whitespace, only `\` and `"` escaped.
 * Throws MetadataError for strings with control characters, which it could not express, and for numbers that are no safe integers.
 * Source: docker/go canonical/json, encode.go.
 */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return integerText(value);
  if (typeof value === "string") return stringText(value);
  if (!isObject(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = sortedNames(value).map((name) => `${stringText(name)}:${canonicalJson(value.get(name) ?? null)}`);
  return `{${members.join(",")}}`;
}

/**
 * Canonical JSON as Go's encoder writes it on the wire: `<`, `>`, `&`, U+2028 and U+2029 are escaped.
 * These stand only inside strings. Source: docker/go canonical/json, indent.go.
 */
export function wireJson(canonical: string): string {
  return canonical.replace(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function integerText(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw new MetadataError("has a number that is not an integer of at most 2^53 - 1");
  }
  return String(value);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\u0000-\u001f\u007f]/;

function stringText(value: string): string {
  if (control.test(value)) throw new MetadataError("has a string with a control character");
  if (!value.isWellFormed()) throw new MetadataError("has a string with half a surrogate pair");
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** JavaScript compares UTF-16 units, which differs from UTF-8 order only where surrogates are involved. */
function sortedNames(value: ReadonlyMap<string, JsonValue>): readonly string[] {
  const names = [...value.keys()];
  if (!names.some((name) => /[\ud800-\udfff]/.test(name))) return names.sort();
  return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
