import { MetadataError } from "./metadata-error.ts";

/** A JSON document as TUF uses it: numbers are safe integers, objects are maps, so that no name is special. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** The most bytes a document may have unless the caller says otherwise: 8 MiB. */
export const defaultMaxBytes = 8 * 1024 * 1024;
/** How deep arrays and objects may nest. */
const maxDepth = 32;

/**
 * Parses untrusted JSON into a value that canonical JSON can express. Throws MetadataError for more than `maxBytes`, nesting
 * deeper than 32, invalid UTF-8, a name used twice in one object, and numbers that are no integers or lie beyond 2^53 - 1.
 */
export function parseJson(bytes: Buffer, maxBytes: number = defaultMaxBytes): JsonValue {
  if (bytes.length > maxBytes) throw new MetadataError(`is larger than ${maxBytes} bytes`);
  return new Reader(decode(bytes)).document();
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new MetadataError("is not UTF-8");
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at !== this.#text.length) throw this.#fault("ends with something that is not JSON");
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > maxDepth) throw this.#fault(`nests deeper than ${maxDepth}`);
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#integer();
    }
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at++;
    if (this.#take("}")) return members;
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#fault("has an object member without a name");
      const name = this.#string();
      if (members.has(name)) throw this.#fault("uses a name twice in one object");
      if (!this.#take(":")) throw this.#fault("lacks a colon");
      members.set(name, this.#value(depth + 1));
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#fault("has an object that does not end");
    return members;
  }

  #array(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.#value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#fault("has an array that does not end");
    return items;
  }

  #string(): string {
    const start = this.#at++;
    let escaped = false;
    for (; ; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit === quote) break;
      // NaN, past the end, is not at least a space either.
      if (!(unit >= 0x20)) throw this.#fault("has a string that does not end or holds a control character");
      if (unit === backslash) {
        escaped = true;
        this.#at++;
      }
    }
    this.#at++;
    return escaped ? this.#unescape(start) : this.#text.slice(start + 1, this.#at - 1);
  }

  #unescape(start: number): string {
    let text: string;
    try {
      text = JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      throw this.#fault("has a string with an unknown escape");
    }
    if (!text.isWellFormed()) throw this.#fault("has a string with half a surrogate pair");
    return text;
  }

  #integer(): number {
    number.lastIndex = this.#at;
    const token = number.exec(this.#text)?.[0];
    if (token === undefined) throw this.#fault("is not JSON");
    const value = Number(token);
    if (!integer.test(token) || !Number.isSafeInteger(value)) {
      throw this.#fault("has a number that is not an integer of at most 2^53 - 1");
    }
    this.#at += token.length;
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#fault("is not JSON");
    this.#at += word.length;
    return value;
  }

  #take(sign: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    for (; ; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
    }
  }

  #fault(what: string): MetadataError {
    return new MetadataError(`${what} (at character ${this.#at})`);
  }
}

const quote = 0x22;
const backslash = 0x5c;
const number = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const integer = /^(?:0|-?[1-9][0-9]*)$/;
