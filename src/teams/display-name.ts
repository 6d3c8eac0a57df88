import type { Parsed } from "../names.ts";

declare const brand: unique symbol;
/** A name for people to read; may be empty. */
export type DisplayName = string & { readonly [brand]: "DisplayName" };

const longest = 200;
/** Control characters, what reorders the text around it, and lone surrogates (`\p{Cs}`). */
export const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Parses a display name: at most 200 characters, printable, without white space around it. */
export function parseDisplayName(text: string): Parsed<DisplayName> {
  if ([...text].length > longest) return { ok: false, fault: `must be at most ${longest} characters` };
  if (unprintable.test(text)) return { ok: false, fault: "must not contain control or text direction characters" };
  if (text !== text.trim()) return { ok: false, fault: "must not begin or end with white space" };
  return { ok: true, value: text as DisplayName };
}
