import { childrenOf, type DerElement, derTag, isDer, readElement } from "./der.ts";

/** Judges the value of one extension: the elements it holds, and the bytes they are in. */
type Rule = (bytes: Buffer, value: DerElement) => boolean;

/** The name of the first extension that Go's parser refuses, or undefined. Takes the wrapper [3] of a certificate. */
export function extensionFaultOf(raw: Buffer, wrapper: DerElement): string | undefined {
  const list = childrenOf(raw, wrapper)?.[0];
  const extensions = list && childrenOf(raw, list);
  if (extensions === undefined) return "list of extensions";
  const seen = new Set<string>();
  for (const extension of extensions) {
    const fields = childrenOf(raw, extension) ?? [];
    const [id, flag, value] = fields.length === 3 ? fields : [fields[0], undefined, fields[1]];
    if (id === undefined || !isGoObjectIdentifier(raw, id)) return "list of extensions";
    if ((flag !== undefined && flag.tag !== derTag.boolean) || value?.tag !== derTag.octetString)
      return "list of extensions";
    const key = raw.toString("hex", id.content, id.end);
    if (seen.has(key)) return "list of extensions, which names one twice,";
    seen.add(key);
    const known = rules[key];
    if (known !== undefined && !holds(known.rule, raw.subarray(value.content, value.end))) return known.name;
  }
  return undefined;
}

/** Whether it is an OBJECT IDENTIFIER in the shortest form whose numbers fit Go's 31 bits. */
export function isGoObjectIdentifier(raw: Buffer, element: DerElement): boolean {
  if (element.tag !== derTag.objectIdentifier || element.end === element.content) return false;
  let number = 0;
  let fresh = true;
  for (let at = element.content; at < element.end; at++) {
    const byte = raw[at] ?? 0;
    if (fresh && byte === 0x80) return false;
    number = number * 128 + (byte & 0x7f);
    if (number > 0x7fffffff) return false;
    fresh = byte < 0x80;
    if (fresh) number = 0;
  }
  return fresh;
}

function holds(rule: Rule, bytes: Buffer): boolean {
  const value = isDer(bytes) ? readElement(bytes, 0) : undefined;
  return value !== undefined && rule(bytes, value);
}

/** A SEQUENCE of which every element passes. */
function sequenceOf(passes: Rule): Rule {
  return (bytes, value) =>
    value.tag === derTag.sequence && (childrenOf(bytes, value)?.every((child) => passes(bytes, child)) ?? false);
}

/** A SEQUENCE that begins with an identifier. */
const identified: Rule = (bytes, value) => {
  const id = value.tag === derTag.sequence ? childrenOf(bytes, value)?.[0] : undefined;
  return id !== undefined && isGoObjectIdentifier(bytes, id);
};

const accessDescription: Rule = (bytes, value) => identified(bytes, value) && childrenOf(bytes, value)?.length === 2;

const keyUsage: Rule = (bytes, value) => {
  const unused = bytes[value.content] ?? 8;
  if (value.tag !== derTag.bitString || unused > 7) return false;
  const last = bytes[value.end - 1] ?? 0;
  return value.end - value.content === 1 ? unused === 0 : (last & ((1 << unused) - 1)) === 0;
};

const basicConstraints: Rule = (bytes, value) => {
  const tags = value.tag === derTag.sequence ? childrenOf(bytes, value)?.map((child) => child.tag) : undefined;
  return tags !== undefined && /^(?:1,?)?(?:2)?$/.test(tags.join(","));
};

/** A distribution point without a name, or with a full one; Go knows no name relative to the issuer. */
const distributionPoint: Rule = (bytes, value) => {
  const name = value.tag === derTag.sequence ? childrenOf(bytes, value)?.[0] : undefined;
  if (value.tag !== derTag.sequence || name?.tag !== 0xa0) return value.tag === derTag.sequence;
  const full = childrenOf(bytes, name)?.[0];
  return full?.tag === 0xa0 && childrenOf(bytes, full) !== undefined;
};

const scheme = "[A-Za-z][A-Za-z0-9+.-]*:";
const authority = "//(?:[A-Za-z0-9_-]+(?:\\.[A-Za-z0-9_-]+)*(?::[0-9]+)?)?(?=[/?#]|$)";
const uri = new RegExp(`^${scheme}(?:${authority}|(?!//))(?:[!-$&-~]|%[0-9A-Fa-f]{2})*$`);

/** An alternative name; URIs are held to a plainer grammar than Go's. */
const alternativeName: Rule = (bytes, value) => {
  const content = bytes.subarray(value.content, value.end);
  switch (value.tag) {
    case 0x81:
    case 0x82:
      return content.every((byte) => byte < 0x80);
    case 0x86:
      return uri.test(content.toString("latin1"));
    case 0x87:
      return content.length === 4 || content.length === 16;
    default:
      return true;
  }
};

const rules: Readonly<Record<string, { readonly name: string; readonly rule: Rule }>> = {
  "551d0e": { name: "subject key identifier", rule: (_bytes, value) => value.tag === derTag.octetString },
  "551d0f": { name: "key usage", rule: keyUsage },
  "551d11": { name: "subject alternative name", rule: sequenceOf(alternativeName) },
  "551d13": { name: "basic constraints", rule: basicConstraints },
  // Only authorities bear them, and their grammar is the largest of all.
  "551d1e": { name: "name constraints, which a member's certificate should not have,", rule: () => false },
  "551d1f": { name: "CRL distribution points", rule: sequenceOf(distributionPoint) },
  "551d20": { name: "certificate policies", rule: sequenceOf(identified) },
  "551d23": { name: "authority key identifier", rule: sequenceOf(() => true) },
  "551d25": { name: "extended key usage", rule: sequenceOf((bytes, value) => isGoObjectIdentifier(bytes, value)) },
  "2b06010505070101": { name: "authority information access", rule: sequenceOf(accessDescription) },
};
