import type { Parsed } from "../names.ts";
import { unprintable } from "./display-name.ts";

declare const brand: unique symbol;
/** Free key and value pairs by which a platform finds its things again. */
export type Labels = ReadonlyMap<string, string> & { readonly [brand]: "Labels" };

const most = 32;
const longestKey = 64;
const longestValue = 256;
const keyForm = /^[a-z0-9](?:[a-z0-9._/-]*[a-z0-9])?$/;

/**
 * Parses labels: at most 32; keys of at most 64 lower-case letters, digits and `. _ / -` between them;
 * values of at most 256 printable characters. The fault names every label that is wrong.
 */
export function parseLabels(entries: Iterable<readonly [string, string]>): Parsed<Labels> {
  const given = [...entries];
  const faults =
    given.length > most ? [`must be at most ${most}`] : given.flatMap(([key, value]) => faultsOf(key, value));
  if (faults.length > 0) return { ok: false, fault: faults.join("; ") };
  return { ok: true, value: new Map(given) as unknown as Labels };
}

/** Whether both hold the same labels, in whatever order. */
export function areSameLabels(one: Labels, other: Labels): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

/** Labels as the database keeps them. */
export function labelsToJson(labels: Labels): string {
  return JSON.stringify(Object.fromEntries(labels));
}

/** Labels as the database gave them. */
export function labelsFromJson(stored: Readonly<Record<string, string>>): Labels {
  return new Map(Object.entries(stored)) as unknown as Labels;
}

function faultsOf(key: string, value: string): readonly string[] {
  const name = JSON.stringify(key.slice(0, longestKey));
  const faults: string[] = [];
  if (key.length > longestKey) faults.push(`key ${name}...: must be at most ${longestKey} characters`);
  else if (!keyForm.test(key)) {
    faults.push(`key ${name}: must be lower-case letters and digits, with \`.\`, \`_\`, \`/\` or \`-\` between them`);
  }
  if ([...value].length > longestValue) faults.push(`value of ${name}: must be at most ${longestValue} characters`);
  else if (unprintable.test(value)) faults.push(`value of ${name}: must not contain control characters`);
  return faults;
}
