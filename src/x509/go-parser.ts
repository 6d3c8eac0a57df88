import { childrenOf, type DerElement, derTag, readElement } from "./der.ts";
import { extensionFaultOf, isGoObjectIdentifier } from "./go-extensions.ts";

/**
 * The part of a certificate for which Go's parser refuses it although OpenSSL reads it; undefined when there is none.
 * One such certificate in targets.json makes `notary delegation list` fail for the whole collection, so none may get there.
 * Takes strict DER of a certificate that OpenSSL has read. Where Go's versions differ, the stricter one is followed.
 * Source: Go, crypto/x509/parser.go.
 */
export function partGoRefuses(raw: Buffer): string | undefined {
  const parts = partsOf(raw);
  const fields = parts?.[0] && childrenOf(raw, parts[0]);
  if (parts?.length !== 3 || fields === undefined) return "structure";
  if (!isWholeOctets(raw, parts[2])) return "signature";
  const [version, ...rest] = fields[0]?.tag === 0xa0 ? fields : [undefined, ...fields];
  const [serial, algorithm, issuer, validity, subject, , ...optional] = rest;
  if (version && !isVersion(raw, version)) return "version";
  if (serial?.tag !== derTag.integer || (raw[serial.content] ?? 0x80) >= 0x80) return "serial number";
  if (!isAlgorithm(raw, algorithm) || !isSame(raw, algorithm, parts[1])) return "signature algorithm";
  if (!isName(raw, issuer)) return "issuer";
  if (!isValidity(raw, validity)) return "validity";
  if (!isName(raw, subject)) return "subject";
  const extensions = optional.find((field) => field?.tag === 0xa3);
  return extensions && extensionFaultOf(raw, extensions);
}

/** The to-be-signed part, the signature algorithm and the signature of a certificate. */
export function partsOf(raw: Buffer): readonly DerElement[] | undefined {
  const whole = readElement(raw, 0);
  return whole && childrenOf(raw, whole);
}

function isWholeOctets(raw: Buffer, bits: DerElement | undefined): boolean {
  return bits?.tag === derTag.bitString && raw[bits.content] === 0;
}

function isVersion(raw: Buffer, wrapper: DerElement): boolean {
  const number = childrenOf(raw, wrapper)?.[0];
  return number?.tag === derTag.integer && number.end - number.content === 1 && (raw[number.content] ?? 3) <= 2;
}

function isAlgorithm(raw: Buffer, element: DerElement | undefined): element is DerElement {
  const id = element && childrenOf(raw, element)?.[0];
  return id !== undefined && isGoObjectIdentifier(raw, id);
}

function isSame(raw: Buffer, a: DerElement, b: DerElement | undefined): boolean {
  return b !== undefined && raw.subarray(a.start, a.end).equals(raw.subarray(b.start, b.end));
}

function isValidity(raw: Buffer, element: DerElement | undefined): boolean {
  const times = element && childrenOf(raw, element);
  return times?.length === 2 && times.every((time) => isTime(time.tag, contentOf(raw, time).toString("latin1")));
}

/** Whole seconds in UTC, on a day and at a time that exist; the century of UTCTime does not matter for that. */
function isTime(tag: number, text: string): boolean {
  const full = tag === derTag.utcTime ? `20${text}` : text;
  const iso = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (iso === null || (tag !== derTag.utcTime && tag !== derTag.generalizedTime)) return false;
  const [, year, month, day, hour, minute, second] = iso;
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = new Date(written);
  return !Number.isNaN(time.getTime()) && time.toISOString() === written;
}

/** RFC 5280, 4.1.2.4: sets of attributes, each an identifier and a string. */
function isName(raw: Buffer, element: DerElement | undefined): boolean {
  if (element?.tag !== derTag.sequence) return false;
  return (
    childrenOf(raw, element)?.every((set) => set.tag === derTag.set && childrenOf(raw, set)?.every(isAttribute)) ??
    false
  );
  function isAttribute(attribute: DerElement): boolean {
    const [id, value] = childrenOf(raw, attribute) ?? [];
    return id !== undefined && isGoObjectIdentifier(raw, id) && value !== undefined && isString(raw, value);
  }
}

/** The string types that Go knows, each with its characters; of UTF8String OpenSSL has judged them. */
function isString(raw: Buffer, element: DerElement): boolean {
  const content = contentOf(raw, element);
  switch (element.tag) {
    case 0x12:
      return /^[0-9 ]*$/.test(content.toString("latin1"));
    case derTag.printableString:
      return /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(content.toString("latin1"));
    case 0x14:
    case derTag.utf8String:
      return true;
    case derTag.ia5String:
      return content.every((byte) => byte < 0x80);
    case 0x1e:
      return content.length % 2 === 0;
    default:
      return false;
  }
}

function contentOf(raw: Buffer, element: DerElement): Buffer {
  return raw.subarray(element.content, element.end);
}
