import { derTag, readHead } from "./der.ts";

/**
 * Whether any part of the bytes looks like private key material, wherever it stands and however it was mangled on the way:
 * PEM of any kind (spaces for line ends, JSON or URL escapes, UTF-16), DER (PKCS#8, encrypted PKCS#8, PKCS#1, SEC1), the base64
 * or hex of those without armour, PKCS#12, Java key stores, OpenSSH, PuTTY and age files, a JWK with its private part, and a zip
 * with a key among its files, as a client bundle is. Takes time linear in the size. Certificates and chains are never flagged.
 */
export function holdsPrivateKey(bytes: Uint8Array): boolean {
  return holds(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 2);
}

function holds(bytes: Buffer, decodings: number): boolean {
  if (holdsKeyStructure(bytes) || holdsKeyArchive(bytes)) return true;
  const text = bytes.toString("latin1").replaceAll("\0", "");
  const plain = unescaped(text);
  const views = [...new Set([text, plain, plain.replaceAll("\\", "")])];
  return views.some(
    (view) =>
      holdsKeyText(view) ||
      (view !== text && holdsKeyStructure(Buffer.from(view, "latin1"))) ||
      (decodings > 0 && decoded(view).some((inner) => holds(inner, decodings - 1))),
  );
}

/** Marks of files that hold nothing but private keys, and of what openssl prints of one. */
const marks = [
  "DEK-Info:",
  "openssh-key-v1",
  "PuTTY-User-Key-File-",
  "AGE-SECRET-KEY-1",
  "Private-Key: (",
  "privateExponent:",
];

function holdsKeyText(text: string): boolean {
  if (marks.some((mark) => text.includes(mark)) || holdsPrivateJwk(text)) return true;
  for (const match of text.matchAll(/PRIVATE[^A-Za-z]{0,12}KEY/g)) {
    const before = text.slice(Math.max(0, match.index - 48), match.index);
    if (/(?<![A-Za-z])(?:BEGIN|END)(?!.*(?:BEGIN|END|CERTIFICATE))[^a-z]*$/s.test(before)) return true;
  }
  return false;
}

function holdsPrivateJwk(text: string): boolean {
  return /"kty"\s*:/.test(text) && /"[dk]"\s*:\s*"[A-Za-z0-9_-]{16}/.test(text);
}

/** Undoes the escapes of JSON, C, URLs and XML. */
function unescaped(text: string): string {
  return text
    .replace(
      /\\u00([0-9a-f]{2})|\\x([0-9a-f]{2})|%([0-9a-f]{2})|&#x0{0,4}([0-9a-f]{1,2});/gi,
      (_all, a?: string, b?: string, c?: string, d?: string) =>
        String.fromCharCode(Number.parseInt(a ?? b ?? c ?? d ?? "", 16)),
    )
    .replace(/&#(?:10|13);|\\[nrt]/g, "\n");
}

/** Fewer characters than the base64 of the shortest private key structure. */
const shortestRun = 48;
const base64Runs = new RegExp(`[A-Za-z0-9+/_-]{${shortestRun},}`, "g");

/** What base64 or hex inside the text may stand for. Words may have grown onto a run, so every alignment is tried. */
function decoded(text: string): Buffer[] {
  const joined = text.replace(/\s+/g, "");
  const base64 = joined.match(base64Runs) ?? [];
  const hex = joined.replaceAll(":", "").match(/[0-9A-Fa-f]{78,}/g) ?? [];
  return [
    ...base64.flatMap((run) => [0, 1, 2, 3].map((from) => Buffer.from(run.slice(from), "base64"))),
    ...hex.flatMap((run) => [0, 1].map((from) => Buffer.from(run.slice(from), "hex"))),
  ];
}

const javaKeyStores = ["feedfeed00000001", "feedfeed00000002", "cececece00000001", "cececece00000002"].map((magic) =>
  Buffer.from(magic, "hex"),
);

function holdsKeyStructure(bytes: Buffer): boolean {
  if (javaKeyStores.some((magic) => bytes.includes(magic))) return true;
  for (let at = bytes.indexOf(derTag.sequence); at >= 0; at = bytes.indexOf(derTag.sequence, at + 1)) {
    if (isKeyStructure(bytes, at)) return true;
  }
  return false;
}

interface Outer {
  readonly content: number;
  /** Infinity for BER's indefinite length, which PKCS#12 files may have. */
  readonly length: number;
}

/** Judges by the first fields only, so that a key that was cut off counts as one. */
function isKeyStructure(bytes: Buffer, at: number): boolean {
  const outer = readOuter(bytes, at);
  if (outer === undefined) return false;
  const first = outer.content;
  if (bytes[first] === derTag.sequence) return isEncryptedPkcs8(bytes, first);
  if (bytes[first] !== derTag.integer || bytes[first + 1] !== 1) return false;
  const version = bytes[first + 2];
  const second = first + 3;
  if (version === 3) return isPkcs12(bytes, second);
  if (version !== 0 && version !== 1) return false;
  return (
    isPkcs8(bytes, second) ||
    (version === 0 && isPkcs1(bytes, second, outer)) ||
    (version === 1 && isSec1(bytes, second, outer))
  );
}

function readOuter(bytes: Buffer, at: number): Outer | undefined {
  if (bytes[at + 1] === 0x80) return { content: at + 2, length: Number.POSITIVE_INFINITY };
  return readHead(bytes, at);
}

/** RFC 5208 and 5958: the algorithm, then the key in an OCTET STRING; a version 1 certificate has its issuer there. */
function isPkcs8(bytes: Buffer, second: number): boolean {
  const algorithm = readHead(bytes, second);
  if (algorithm?.tag !== derTag.sequence || bytes[algorithm.content] !== derTag.objectIdentifier) return false;
  const third = bytes[algorithm.content + algorithm.length];
  return third === derTag.octetString || third === undefined;
}

/** RFC 8017 A.1.2, and OpenSSL's DSA form: after the zero a large number, and more than as much again. */
function isPkcs1(bytes: Buffer, second: number, outer: Outer): boolean {
  const modulus = readHead(bytes, second);
  return modulus?.tag === derTag.integer && modulus.length >= 32 && outer.length > 2 * modulus.length;
}

/** The lengths that scalars have on curves in use, from 160 to 521 bits. */
const scalarBytes = new Set([20, 21, 24, 28, 29, 30, 32, 36, 40, 48, 64, 66, 72]);

/** RFC 5915: the scalar in an OCTET STRING of its curve's length, then parameters and public key or nothing. */
function isSec1(bytes: Buffer, second: number, outer: Outer): boolean {
  const scalar = readHead(bytes, second);
  if (scalar?.tag !== derTag.octetString || !scalarBytes.has(scalar.length)) return false;
  const end = scalar.content + scalar.length;
  return end <= outer.content + outer.length && outer.length < 1024;
}

const passwordBased = ["06092a864886f70d0105", "060a2a864886f70d010c01"].map((oid) => Buffer.from(oid, "hex"));

/** RFC 5208, 6: the algorithm of the encryption (PKCS#5, or PKCS#12's own), then the ciphertext. */
function isEncryptedPkcs8(bytes: Buffer, first: number): boolean {
  const algorithm = readHead(bytes, first);
  return algorithm !== undefined && passwordBased.some((oid) => startsWith(bytes, algorithm.content, oid));
}

const pkcs7 = Buffer.from("06092a864886f70d0107", "hex");

/** RFC 7292: version 3, then the authenticated safe in a PKCS#7 content. */
function isPkcs12(bytes: Buffer, second: number): boolean {
  if (bytes[second] !== derTag.sequence) return false;
  const safe = readOuter(bytes, second);
  return safe !== undefined && startsWith(bytes, safe.content, pkcs7);
}

function startsWith(bytes: Buffer, at: number, prefix: Buffer): boolean {
  return bytes.subarray(at, at + prefix.length).equals(prefix);
}

/** The records of a zip that name a file, and where in them the length of the name and the name stand (APPNOTE 4.3). */
const zipRecords = [
  { magic: Buffer.from("504b0304", "hex"), length: 26, name: 30 },
  { magic: Buffer.from("504b0102", "hex"), length: 28, name: 46 },
];
const keyFile = /key|^id_[a-z0-9]+$|^kube\.ya?ml$|\.(?:p12|pfx|jks|ppk)$/;
const mostRecords = 10_000;

function holdsKeyArchive(bytes: Buffer): boolean {
  return zipRecords.some((record) => {
    let at = bytes.indexOf(record.magic);
    for (let seen = 0; seen < mostRecords && at >= 0 && at + record.name <= bytes.length; seen++) {
      const from = at + record.name;
      const path = bytes.toString("latin1", from, from + Math.min(bytes.readUInt16LE(at + record.length), 255));
      if (keyFile.test(path.slice(path.lastIndexOf("/") + 1).toLowerCase())) return true;
      at = bytes.indexOf(record.magic, at + 1);
    }
    return false;
  });
}
