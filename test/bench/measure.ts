import type { Site } from "./site.ts";

/** What a measure found, ours and the peer's or the limit in one unit. */
export interface Finding {
  readonly ours: number;
  readonly peer: number;
  /** As the measure's `wanted` is meant: of several pairs the median of the ratios, not the ratio of the medians. */
  readonly ratio: number;
  readonly unit: string;
  /** Sizes and whatever else a reader needs, in words. */
  readonly conditions: string;
}

/** One figure of the product beside a peer or a limit. */
export interface Measure {
  readonly name: string;
  /** What the ratio should be. */
  readonly wanted: { readonly ratio: number; readonly meaning: "at least" | "at most" };
  run(site: Site, form: Form): Promise<Finding>;
}

/** `short` only shows that a measure works; its figures mean nothing. */
export type Form = "full" | "short";

/** A measure whose sizes differ by form. */
export function defineMeasure<Sizes>(
  description: Omit<Measure, "run"> & {
    readonly full: Sizes;
    readonly short: Sizes;
    readonly run: (site: Site, sizes: Sizes) => Promise<Finding>;
  },
): Measure {
  const { name, wanted } = description;
  return { name, wanted, run: (site, form) => description.run(site, description[form]) };
}
