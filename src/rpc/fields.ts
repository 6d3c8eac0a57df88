import { Fault, type FieldFault } from "../errors.ts";
import type { Parsed } from "../names.ts";
import { unprintable } from "../teams/display-name.ts";

/** Takes over a parsed field: answers its value, or notes its fault under the field's path as the proto spells it. */
export type Read = <T>(field: string, parsed: Parsed<T>) => T;

/**
 * Reads a request into domain types. Throws one INVALID_FIELD that names every fault; what `beside` finds wrong is told only
 * beside other faults. For a field with a fault `read` answers undefined: `parse` may pass such a value on, not look into it.
 */
export function readFields<T>(parse: (read: Read) => T, beside: () => readonly FieldFault[] = () => []): T {
  const faults: FieldFault[] = [];
  const read: Read = <V>(field: string, parsed: Parsed<V>): V => {
    if (parsed.ok) return parsed.value;
    faults.push({ field, fault: parsed.fault });
    return undefined as V;
  };
  const value = parse(read);
  if (faults.length === 0) return value;
  const all = [...faults, ...beside()];
  throw new Fault("INVALID_FIELD", `The request is refused: ${wordsOn(all)}.`, { fields: all });
}

/** Reads a repeated field of at most `most` items, each under its own path, such as `teams[2]`. */
export function readEach<Item, T>(
  read: Read,
  field: string,
  items: readonly Item[],
  most: number,
  each: (item: Item, path: string) => T,
): readonly T[] {
  if (items.length > most) return read(field, wrong(`must be at most ${most.toLocaleString("en")}`));
  return items.map((item, at) => each(item, `${field}[${at}]`));
}

/** Parses a field that narrows an answer; empty means that it does not. */
export function parseFilter<T, None>(text: string, parse: (text: string) => Parsed<T>, none: None): Parsed<T | None> {
  return text === "" ? right(none) : parse(text);
}

/** Parses one line of free text. */
export function parseLine(text: string, most: number): Parsed<string> {
  if (text.length > most) return wrong(`must be at most ${most.toLocaleString("en")} characters`);
  if (unprintable.test(text)) return wrong("must be one line, without control or text direction characters");
  return right(text);
}

/** Parses a time. A Timestamp may say more than a calendar holds; years 1 to 9999 are what google.protobuf.Timestamp allows. */
export function parseInstant(instant: Date | undefined): Parsed<Date | undefined> {
  const year = instant?.getUTCFullYear() ?? 1;
  return year >= 1 && year <= 9999 ? right(instant) : wrong("must be a time in the years 1 to 9999");
}

/** The names of an enum's values, UNSPECIFIED apart. */
export type NameOf<Enum> = Exclude<keyof Enum & string, "UNSPECIFIED">;

/** Parses an enum's number, which may be any on the wire, into its name. UNSPECIFIED is refused as unknown numbers are. */
export function parseEnum<Enum extends Readonly<Record<string, number>>>(
  values: Enum,
  number: number,
): Parsed<NameOf<Enum>> {
  const names = Object.keys(values).filter((name) => name !== "UNSPECIFIED") as NameOf<Enum>[];
  const name = names.find((one) => values[one] === number);
  return name === undefined ? wrong(`must be one of ${names.join(", ")}`) : right(name);
}

export function right<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** `fault` says what would be right. */
export function wrong(fault: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault };
}

const named = 3;

function wordsOn(faults: readonly FieldFault[]): string {
  const words = faults.slice(0, named).map(({ field, fault }) => `${field} ${fault}`);
  return words.join("; ") + (faults.length > named ? `; and ${faults.length - named} more faults` : "");
}
