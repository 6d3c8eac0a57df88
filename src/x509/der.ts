/** The head of one DER element: identifier octet, where its content begins, and how long the content says it is. */
export interface DerHead {
  readonly tag: number;
  readonly content: number;
  readonly length: number;
}

/** One whole DER element inside a buffer: `start` to `end`, head included; its content begins at `content`. */
export interface DerElement {
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/**
 * Reads the head at an offset: low tag numbers and lengths in the definite, shortest form (X.690, 10.1).
 * undefined when there is no such head; the content itself may lie beyond the end of the buffer.
 */
export function readHead(bytes: Uint8Array, offset: number): DerHead | undefined {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  if (first < 0x80) return { tag, content: offset + 2, length: first };
  const count = first & 0x7f;
  if (count === 0 || count > 4) return undefined;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const byte = bytes[offset + 2 + i];
    if (byte === undefined) return undefined;
    length = length * 256 + byte;
  }
  const shortest = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8);
  return count === shortest ? { tag, content: offset + 2 + count, length } : undefined;
}

/** Reads the element at an offset; undefined unless all of it lies before `limit`. */
export function readElement(bytes: Uint8Array, offset: number, limit = bytes.length): DerElement | undefined {
  const head = readHead(bytes, offset);
  if (head === undefined || head.content + head.length > limit) return undefined;
  return { tag: head.tag, start: offset, content: head.content, end: head.content + head.length };
}

/** The elements that fill a constructed element exactly; undefined when they do not. */
export function childrenOf(bytes: Uint8Array, parent: DerElement): readonly DerElement[] | undefined {
  const children: DerElement[] = [];
  for (let at = parent.content; at < parent.end; ) {
    const child = readElement(bytes, at, parent.end);
    if (child === undefined) return undefined;
    children.push(child);
    at = child.end;
  }
  return children;
}

/** Whether the bytes are exactly one DER element, down to every leaf: what Go's parser insists on and OpenSSL's does not. */
export function isDer(bytes: Uint8Array): boolean {
  const whole = readElement(bytes, 0);
  return whole !== undefined && whole.end === bytes.length && isDerElement(bytes, whole, 0);
}

const deepest = 32;

function isDerElement(bytes: Uint8Array, element: DerElement, depth: number): boolean {
  if ((element.tag & 0x20) !== 0) {
    const children = depth < deepest ? childrenOf(bytes, element) : undefined;
    return children?.every((child) => isDerElement(bytes, child, depth + 1)) ?? false;
  }
  const length = element.end - element.content;
  const first = bytes[element.content] ?? 0;
  if (element.tag === derTag.boolean) return length === 1 && (first === 0x00 || first === 0xff);
  if (element.tag !== derTag.integer) return true;
  const second = bytes[element.content + 1] ?? 0;
  return length === 1 || (length > 1 && !(first === 0x00 && second < 0x80) && !(first === 0xff && second >= 0x80));
}

/** Writes one element: its parts, in order, are its content. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const octets: number[] = [];
  for (let rest = content.length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  const length = content.length < 0x80 ? [content.length] : [0x80 | octets.length, ...octets];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

/** Writes a SEQUENCE of the parts. */
export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(derTag.sequence, ...parts);
}

/** Writes an INTEGER that is never negative, from its big-endian bytes. */
export function unsignedInteger(bytes: Uint8Array): Buffer {
  const from = bytes.findIndex((byte) => byte !== 0);
  const digits = from < 0 ? Buffer.alloc(1) : bytes.subarray(from);
  return element(derTag.integer, (digits[0] ?? 0) >= 0x80 ? Buffer.alloc(1) : Buffer.alloc(0), digits);
}
