import canonicalize from "canonicalize";

/**
 * The RFC 8785 (JCS) bytes of a JSON value. Integers beyond 2^53 - 1, bigint or number, become strings, since readers in
 * other languages would round them; text that is not well-formed Unicode gets U+FFFD where it is broken.
 * Members that are undefined are left out. Throws for NaN and infinities, which JSON does not have.
 */
export function canonicalBytes(value: unknown): Buffer {
  const text = canonicalize(portable(value));
  if (text === undefined) throw new TypeError("The value has no JSON form.");
  return Buffer.from(text);
}

function portable(value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return value.toWellFormed();
    case "bigint":
      return isExact(value) ? Number(value) : value.toString();
    case "number":
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value).toString() : value;
    case "object":
      return value === null ? null : portableObject(value);
    default:
      return value;
  }
}

function portableObject(value: object): unknown {
  if (Array.isArray(value)) return value.map(portable);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name.toWellFormed(), portable(member)]));
}

function isExact(value: bigint): boolean {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
}
