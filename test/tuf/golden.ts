import { readFileSync } from "node:fs";

/** A fixture that the real notary wrote; golden/README.md says how. */
export function golden(name: string): Buffer {
  return readFileSync(new URL(`golden/${name}.golden.json`, import.meta.url));
}
