import { availableParallelism, cpus, loadavg } from "node:os";
import type { Finding, Measure } from "./measure.ts";

/** One line of a machine-readable report. */
export function jsonLine({ name }: Measure, { ours, peer, ratio, unit, conditions }: Finding): string {
  return JSON.stringify({ name, ours: rounded(ours), peer: rounded(peer), ratio: rounded(ratio), unit, conditions });
}

const widths = [20, 8, 8, 7, 13, 4];

/** A table for people: a row of figures for each measure, its conditions below it. */
export function tableRow({ name, wanted }: Measure, { ours, peer, ratio, unit, conditions }: Finding): string {
  const met = wanted.meaning === "at least" ? ratio >= wanted.ratio : ratio <= wanted.ratio;
  const cells = [
    name,
    shown(ours),
    shown(peer),
    shown(ratio),
    `${wanted.meaning} ${wanted.ratio}`,
    met ? "yes" : "NO",
    unit,
  ];
  return `${rowOf(cells)}\n    ${conditions}`;
}

export const tableHead = rowOf(["measure", "ours", "peer", "ratio", "wanted", "met", "unit"]);

function rowOf(cells: readonly string[]): string {
  return cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" ");
}

/** What the figures of one run have in common. */
export function surroundings(now: Date): string {
  const [cpu] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return (
    `${availableParallelism()} cores (${cpu?.model.trim()}) with a load of ${load} at the end, PostgreSQL with fsync for both, ` +
    `Node ${process.versions.node}, ${now.toISOString().slice(0, 10)}`
  );
}

function shown(figure: number): string {
  return String(rounded(figure));
}

function rounded(figure: number): number {
  return Number(figure.toPrecision(3));
}
