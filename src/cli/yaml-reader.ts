import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";

/** What is wrong with a file, and on which line, from 1. */
export interface FileFault {
  readonly line: number;
  readonly fault: string;
}

/** A value in a file, to be read as what it should be. Whatever is wrong is noted, and reading goes on. */
export interface Value {
  readonly line: number;
  /** The text of a scalar; booleans and numbers are the text they were written as. */
  text(): string;
  /** `true` or `false`. */
  truth(): boolean;
  /** The values of a list; an empty list where there is none. */
  list(): readonly Value[];
  /** The fields of a mapping, of which only these may be given; a field that is left out is undefined. */
  fields<Name extends string>(names: readonly Name[]): Readonly<Partial<Record<Name, Value>>>;
  /** The entries of a mapping of any names. */
  entries(): readonly (readonly [name: string, value: Value])[];
  /** Notes that this value is wrong. */
  wrong(fault: string): void;
}

/**
 * Reads YAML, and JSON, which is YAML too. Every scalar is text, so that `no` and `1.0` stay what was written. Aliases are refused: they
 * can make a small file large. What is wrong with the text itself is noted as well, and then nothing can be read of it.
 */
export function readYaml(text: string, faults: FileFault[]): Value | undefined {
  const lines = new LineCounter();
  const lineAt = (offset: number | undefined): number => lines.linePos(offset ?? 0).line;
  try {
    const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
    for (const { pos, message } of document.errors) faults.push({ line: lineAt(pos[0]), fault: message });
    if (document.errors.length > 0) return undefined;
    return toValue(document.contents, 1, lineAt, faults);
  } catch (error) {
    faults.push({ line: 1, fault: error instanceof RangeError ? "is nested too deeply" : (error as Error).message });
    return undefined;
  }
}

function toValue(
  node: Node | null | undefined,
  parentLine: number,
  lineAt: (offset: number | undefined) => number,
  faults: FileFault[],
): Value {
  const line = node?.range ? lineAt(node.range[0]) : parentLine;
  const wrong = (fault: string): void => void faults.push({ line, fault });
  const isEmpty = node === null || node === undefined || (isScalar(node) && node.value === "" && node.type === "PLAIN");
  const inner = (child: unknown, at = line): Value => toValue(child as Node | null, at, lineAt, faults);
  const pairs = (): readonly Pair[] => {
    if (isMap(node)) return node.items;
    if (!isEmpty) wrong("must be a mapping of names to values");
    return [];
  };
  const entries = (): readonly (readonly [string, Value])[] =>
    pairs().map(({ key, value }) => {
      const name = inner(key);
      return [name.text(), inner(value, name.line)];
    });
  const text = (): string => {
    if (isScalar(node) && typeof node.value === "string") return node.value;
    if (!isEmpty) wrong("must be a text");
    return "";
  };
  return {
    line,
    wrong,
    text,
    entries,
    truth: () => {
      const said = text();
      if (said !== "true" && said !== "false") wrong("must be true or false");
      return said === "true";
    },
    list: () => {
      if (isSeq(node)) return node.items.map((item) => inner(item));
      if (!isEmpty) wrong("must be a list");
      return [];
    },
    fields: <Name extends string>(names: readonly Name[]) => {
      const found: Partial<Record<Name, Value>> = {};
      for (const [name, value] of entries()) {
        const known = names.find((one) => one === name);
        if (known === undefined) value.wrong(`\`${name}\` is none of ${names.join(", ")}`);
        else found[known] = value;
      }
      return found;
    },
  };
}
