import { printable } from "./terminal.ts";

/** Rows in columns as wide as their widest cell, under a heading; a blank heading row is left out. Cells are made printable. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [headings, ...rows].map((row) => row.map(printable));
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ""))));
  const shown = headings.some((heading) => heading !== "") ? cells : cells.slice(1);
  return shown.map((row) => `${alignRow(row, widths)}\n`).join("");
}

/** Names and values, one pair a line, the values aligned. Pairs with an empty value are left out. */
export function details(pairs: readonly (readonly [name: string, value: string])[]): string {
  return table(
    ["", ""],
    pairs.filter(([, value]) => value !== ""),
  );
}

function alignRow(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
    .join("  ")
    .trimEnd();
}

/** In characters as people count them; wide scripts are not accounted for. */
function widthOf(text: string): number {
  let width = 0;
  for (const _ of graphemes.segment(text)) width++;
  return width;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
