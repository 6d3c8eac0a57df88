import type { Parsed } from "../names.ts";

/** Every tag. */
export const everyTag: readonly string[] = [""];

const mostPaths = 1_000;
const longestPath = 255;

/**
 * Parses the paths of a delegation: string prefixes of tag names, at most 1,000 of at most 255 bytes. No path is every tag.
 * Answers them ascending and distinct. Source: Notary tuf/data/roles.go; canonical JSON cannot carry control characters.
 */
export function parsePaths(texts: readonly string[]): Parsed<readonly string[]> {
  if (texts.length === 0) return { ok: true, value: everyTag };
  if (texts.length > mostPaths) return { ok: false, fault: `must be at most ${mostPaths} paths` };
  if (texts.some((text) => Buffer.byteLength(text) > longestPath)) {
    return { ok: false, fault: `each path must be at most ${longestPath} bytes` };
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (texts.some((text) => /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) || !text.isWellFormed())) {
    return { ok: false, fault: "must not contain control characters" };
  }
  const distinct = [...new Set(texts)].sort();
  return { ok: true, value: distinct.includes("") ? everyTag : distinct };
}

/** Whether every tag that `narrow` covers is covered by `wide`. */
export function covers(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((path) => wide.some((prefix) => path.startsWith(prefix)));
}
