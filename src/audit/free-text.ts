/**
 * Makes text from outside fit to be stored and shown in one line: control characters, line breaks and characters that
 * reorder text become spaces, and what is longer than `most` characters is cut and ends in an ellipsis.
 */
export function cleanText(text: string, most: number): string {
  const line = text.toWellFormed().replace(unprintable, " ").trim();
  if (line.length <= most) return line;
  return `${line.slice(0, most - 1).replace(halfCharacter, "")}…`;
}

/** Unicode's controls, formats (bidirectional overrides among them), line and paragraph separators. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;
const halfCharacter = /[\ud800-\udbff]$/;
