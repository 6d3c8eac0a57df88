import type { Secret } from "./secrets.ts";

/** Tells in one reading of a text which of many secrets are worth a search there. */
export interface SecretIndex {
  /** Every secret of which a form stands in the text, and rarely another; binary texts are latin1. */
  suspectsIn(text: string): readonly Secret[];
}

/** Indexes secrets by how their forms begin. */
export function indexOf(secrets: readonly Secret[]): SecretIndex {
  const owners = new Map<string, Secret[]>();
  // A bit for each beginning spares looking up nearly all places of a text.
  const marks = new Uint8Array(1 << 24);
  for (const secret of secrets) {
    for (const beginning of new Set(secret.forms.map((form) => form.slice(0, length)))) {
      marks[markOf(Buffer.from(beginning, "latin1"), 0)] = 1;
      const known = owners.get(beginning);
      if (known === undefined) owners.set(beginning, [secret]);
      else known.push(secret);
    }
  }
  return {
    suspectsIn: (text) => {
      const bytes = Buffer.from(text, "latin1");
      const suspects = new Set<Secret>();
      for (let at = 0; at + length <= bytes.length; at++) {
        if (marks[markOf(bytes, at)] === 0) continue;
        for (const secret of owners.get(bytes.toString("latin1", at, at + length)) ?? []) suspects.add(secret);
      }
      return [...suspects];
    },
  };
}

/** Every form is longer: a secret has 16 bytes or more. */
const length = 12;

function markOf(bytes: Buffer, at: number): number {
  const low = bytes.readUInt32LE(at + 4);
  const high = bytes.readUInt32LE(at + 8);
  return (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> 8;
}
