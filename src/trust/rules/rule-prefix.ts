import { type Parsed, parseGun } from "../../names.ts";

declare const brand: unique symbol;
/** What the GUNs of a rule lie below: a registry host and path segments, with a slash at the end. */
export type RulePrefix = string & { readonly [brand]: "RulePrefix" };

/**
 * Parses the prefix of a rule, such as `dtr.example.org/dev/`: at least a registry host, and a slash at the end, so that a rule over
 * `dev` says nothing about `devel`.
 */
export function parseRulePrefix(text: string): Parsed<RulePrefix> {
  if (!text.endsWith("/")) {
    return {
      ok: false,
      fault: "must be a registry host and path segments with a `/` at the end, such as dtr.example.org/dev/",
    };
  }
  // A prefix is well formed when a repository can lie below it.
  const below = parseGun(`${text}x`);
  if (!below.ok) return { ok: false, fault: below.fault };
  return { ok: true, value: text as RulePrefix };
}
