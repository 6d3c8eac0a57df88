import "reflect-metadata";
import { constants, type KeyObject, verify, type X509Certificate } from "node:crypto";
import { X509Certificate as DecodedCertificate, X509Crl } from "@peculiar/x509";
import { isDer, readHead } from "./der.ts";
import { readPem } from "./pem.ts";

/** A certificate revocation list (RFC 5280, 5), complete and readable. Whose it is shows when its signature is verified. */
export interface RevocationList {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** Serial numbers in lower-case hex without leading zeros. */
  readonly serials: ReadonlySet<string>;
  readonly issuer: Buffer;
  readonly tbs: Buffer;
  readonly signature: Buffer;
  readonly verifier: Verifier;
}

type Verifier = { readonly digest: string; readonly padding?: number };

export type RevocationListsResult =
  | { readonly ok: true; readonly value: readonly RevocationList[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Parses a file of revocation lists: PEM with one or more, or the DER of one. Gives every fault at once. */
export function parseRevocationLists(bytes: Buffer): RevocationListsResult {
  const isDer = bytes[0] === 0x30;
  const { blocks, unfinished } = isDer
    ? { blocks: [{ label: "X509 CRL", body: bytes }], unfinished: false }
    : readPem(bytes.toString("latin1"));
  const faults = unfinished ? ["is cut off"] : [];
  if (blocks.length === 0) faults.push("holds no certificate revocation list");
  const value = blocks.flatMap(({ label, body }) => {
    const read =
      label === "X509 CRL" && body !== undefined ? readList(body) : "holds something that is no revocation list";
    if (typeof read !== "string") return [read];
    faults.push(read);
    return [];
  });
  return faults.length === 0 ? { ok: true, value } : { ok: false, faults };
}

/** Whether the list is by this authority, by name and signature. That it may sign lists is for the caller to judge. */
export function isListOf(list: RevocationList, authority: X509Certificate): boolean {
  return list.issuer.equals(subjectOf(authority)) && verifies(list, authority.publicKey);
}

/** A serial number as `RevocationList.serials` writes it. */
export function serialOf(hex: string): string {
  return BigInt(`0x${hex}`).toString(16);
}

function readList(der: Buffer): RevocationList | string {
  if (!isDer(der)) return "holds a revocation list that is truncated or not DER";
  try {
    const list = new X509Crl(der);
    const { nextUpdate } = list;
    if (nextUpdate === undefined) return "holds a revocation list that does not say until when it is good";
    const strange = [...list.extensions, ...list.entries.flatMap((entry) => entry.extensions)].find(
      (extension) => extension.critical,
    );
    if (strange !== undefined) {
      return `holds a revocation list that is partial, indirect or of another kind that is not understood (critical extension ${strange.type})`;
    }
    const verifier = verifierOf(list);
    if (verifier === undefined) return "holds a revocation list that is not signed with SHA-256, SHA-384 or SHA-512";
    return {
      thisUpdate: list.thisUpdate,
      nextUpdate,
      serials: new Set(list.entries.map((entry) => serialOf(entry.serialNumber))),
      issuer: Buffer.from(list.issuerName.toArrayBuffer()),
      tbs: tbsOf(der),
      signature: Buffer.from(list.signature),
      verifier,
    };
  } catch {
    return "holds a revocation list that cannot be read";
  }
}

/** What is signed: the first part of the list, byte for byte. */
function tbsOf(der: Buffer): Buffer {
  const outer = readHead(der, 0);
  const tbs = outer && readHead(der, outer.content);
  if (tbs === undefined) throw new Error("no list");
  return der.subarray(outer?.content, tbs.content + tbs.length);
}

function subjectOf(authority: X509Certificate): Buffer {
  return Buffer.from(new DecodedCertificate(authority.raw).subjectName.toArrayBuffer());
}

const digests: Readonly<Record<string, string>> = { "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" };

function verifierOf(list: X509Crl): Verifier | undefined {
  const { name, hash } = list.signatureAlgorithm as {
    readonly name: string;
    readonly hash?: { readonly name: string };
  };
  const digest = digests[hash?.name ?? ""];
  if (digest === undefined) return undefined;
  if (name === "ECDSA") return { digest };
  if (name === "RSASSA-PKCS1-v1_5") return { digest, padding: constants.RSA_PKCS1_PADDING };
  return name === "RSA-PSS" ? { digest, padding: constants.RSA_PKCS1_PSS_PADDING } : undefined;
}

function verifies({ tbs, signature, verifier }: RevocationList, key: KeyObject): boolean {
  const { digest, padding } = verifier;
  if ((padding === undefined) !== (key.asymmetricKeyType === "ec")) return false;
  return verify(digest, tbs, padding === undefined ? key : { key, padding }, signature);
}
