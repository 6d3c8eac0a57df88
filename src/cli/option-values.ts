import { InvalidArgumentError } from "commander";

/** Lets an option be given several times. */
export function collect(text: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, text];
}

/** Parses the name of an enum value, in any case, with `-` for `_`. Throws InvalidArgumentError naming the choices. */
export function parseEnum<Value extends number>(names: Readonly<Record<string, Value>>, text: string): Value {
  const value = names[text.toUpperCase().replaceAll("-", "_")];
  if (value === undefined || value === 0) {
    const choices = Object.keys(names).filter((name) => names[name] !== 0);
    throw new InvalidArgumentError(`Give one of ${choices.map((name) => name.toLowerCase()).join(", ")}.`);
  }
  return value;
}

/** Parses an enum value for an option that can be given several times. */
export function collectEnum<Value extends number>(
  names: Readonly<Record<string, Value>>,
): (text: string, earlier: readonly Value[]) => readonly Value[] {
  return (text, earlier) => [...earlier, parseEnum(names, text)];
}

/** Parses `name=value` for an option that can be given several times. */
export function collectLabel(text: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Give name=value.");
  return { ...earlier, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** Parses a generation, from 1. */
export function parseGeneration(text: string): bigint {
  if (!/^[1-9][0-9]{0,17}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 1.");
  return BigInt(text);
}

/** Parses a time as ISO 8601 with its zone, such as `2026-03-01T12:00:00Z`, or a date, which begins at midnight UTC. */
export function parseTime(text: string): Date {
  const time = new Date(text);
  const hasForm = /^\d{4}-\d{2}-\d{2}(T.+(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  if (!hasForm || Number.isNaN(time.getTime()) || !isOnCalendar(text.slice(0, 10))) {
    throw new InvalidArgumentError("Give a time such as 2026-03-01T12:00:00Z, or a date.");
  }
  return time;
}

/** Date takes the 30th of February for a day in March. */
function isOnCalendar(day: string): boolean {
  return new Date(day).toISOString().startsWith(day);
}
