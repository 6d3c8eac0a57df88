import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { CanonicalKeyId, TufKeyId } from "../names.ts";
import { bytesOf, recordOf, textOf } from "./fields.ts";
import { type JsonValue, parseJson } from "./json.ts";
import { MetadataError } from "./metadata-error.ts";
import { countBlocks, encodeCertificate, firstCertificate } from "./pem.ts";

/** Notary's key types; those with `-x509` carry a certificate instead of the bare key. */
export type KeyType = "ecdsa" | "ecdsa-x509" | "rsa" | "rsa-x509" | "ed25519";

/** A public key as metadata names it. */
export interface TufKey {
  readonly keyType: KeyType;
  /** The bytes whose base64 stands in metadata: SPKI DER, the certificate's PEM text, or 32 raw bytes for ed25519. */
  readonly public: Buffer;
}

/** Hex SHA-256 of the key's canonical JSON. Source: Notary, tuf/data/keys.go, TUFKey.ID. */
export function tufKeyIdOf(key: TufKey): TufKeyId {
  const known = keyIds.get(key);
  if (known !== undefined) return known;
  const id = createHash("sha256").update(keyJson(key)).digest("hex") as TufKeyId;
  keyIds.set(key, id);
  return id;
}

/**
 * The id of the bare public key: for a certificate the TUF id of the key inside, else the TUF id itself.
 * Throws MetadataError for a certificate that cannot be read. Source: Notary, tuf/utils/x509.go, CanonicalKeyID.
 */
export function canonicalKeyIdOf(key: TufKey): CanonicalKeyId {
  if (!isCertificate(key)) return tufKeyIdOf(key) as string as CanonicalKeyId;
  const publicKey = publicKeyOf(key);
  if (publicKey === undefined) throw new MetadataError("is not a certificate with a key that Notary can use");
  return bareKeyIdOf(publicKey, key.keyType === "rsa-x509" ? "rsa" : "ecdsa");
}

/**
 * The key that Notary's CLI makes of a PEM certificate, byte for byte, so that key ids agree with it.
 * Takes one certificate of an ECDSA key (P-224, P-256, P-384, P-521) or an RSA key of 2048 bits or more; text around it is dropped.
 * Throws MetadataError for anything else. Source: Notary, tuf/utils/x509.go, CertToKey; Go, encoding/pem.
 */
export function certificateKey(pem: string): TufKey {
  const blocks = countBlocks(pem);
  if (blocks !== 1) throw new MetadataError(`has ${blocks} PEM blocks; give exactly one certificate`);
  const der = firstCertificate(pem);
  if (der === undefined) throw new MetadataError("is not a PEM certificate");
  const publicKey = keyOfCertificate(der);
  const key: TufKey = {
    keyType: publicKey?.asymmetricKeyType === "rsa" ? "rsa-x509" : "ecdsa-x509",
    public: Buffer.from(encodeCertificate(der)),
  };
  if (publicKeyOf(key) === undefined) {
    throw new MetadataError(
      "is not a certificate with a key that Notary can verify: ECDSA on a NIST curve, or RSA of 2048 bits",
    );
  }
  return key;
}

/** Reads Notary's answer to `GET <role>.key`. Throws MetadataError when it is not a key that signatures can be verified with. */
export function parseServerKey(bytes: Buffer): TufKey {
  const key = keyOf(parseJson(bytes, 256 * 1024));
  if (key === undefined || publicKeyOf(key) === undefined) throw new MetadataError("is not a key of a known type");
  return key;
}

/** Reads one key of metadata; undefined when its type is unknown, which Go skips as well. Throws MetadataError for other shapes. */
export function keyOf(value: JsonValue): TufKey | undefined {
  const key = recordOf(value, "a key", ["keytype", "keyval"]);
  const keyType = textOf(key.get("keytype"), "a key's type");
  const pair = recordOf(key.get("keyval"), "a key's value", ["private", "public"]);
  const material = bytesOf(pair.get("public"), "a public key");
  return isKeyType(keyType) ? { keyType, public: material } : undefined;
}

/** A key as a member of metadata's `keys`. */
export function keyValue(key: TufKey): JsonValue {
  return new Map<string, JsonValue>([
    ["keytype", key.keyType],
    [
      "keyval",
      new Map([
        ["private", null],
        ["public", key.public.toString("base64")],
      ]),
    ],
  ]);
}

/** The key to verify with, parsed once; undefined when Notary's clients could not use it. */
export function publicKeyOf(key: TufKey): KeyObject | undefined {
  const id = tufKeyIdOf(key);
  const parsed = publicKeys.get(id);
  if (parsed !== undefined) return parsed;
  const publicKey = parsePublicKey(key);
  if (publicKey === undefined) return undefined;
  const [oldest] = publicKeys.keys();
  if (oldest !== undefined && publicKeys.size >= maxPublicKeys) publicKeys.delete(oldest);
  publicKeys.set(id, publicKey);
  return publicKey;
}

const keyIds = new WeakMap<TufKey, TufKeyId>();
const publicKeys = new Map<TufKeyId, KeyObject>();
const maxPublicKeys = 512;

/** Base64 and key types need no escaping, so the canonical form is a template. */
function keyJson(key: TufKey): string {
  return `{"keytype":"${key.keyType}","keyval":{"private":null,"public":"${key.public.toString("base64")}"}}`;
}

function bareKeyIdOf(publicKey: KeyObject, keyType: KeyType): CanonicalKeyId {
  const spki = publicKey.export({ type: "spki", format: "der" });
  return tufKeyIdOf({ keyType, public: spki }) as string as CanonicalKeyId;
}

function isKeyType(text: string): text is KeyType {
  return ["ecdsa", "ecdsa-x509", "rsa", "rsa-x509", "ed25519"].includes(text);
}

function isCertificate(key: TufKey): boolean {
  return key.keyType === "ecdsa-x509" || key.keyType === "rsa-x509";
}

function parsePublicKey(key: TufKey): KeyObject | undefined {
  const publicKey = readPublicKey(key);
  if (publicKey === undefined) return undefined;
  switch (key.keyType) {
    case "ed25519":
      return publicKey;
    case "rsa":
    case "rsa-x509":
      return publicKey.asymmetricKeyType === "rsa" && (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
        ? publicKey
        : undefined;
    case "ecdsa":
    case "ecdsa-x509":
      return isNamedCurveKey(publicKey) ? publicKey : undefined;
  }
}

function readPublicKey(key: TufKey): KeyObject | undefined {
  if (isCertificate(key)) {
    const der = firstCertificate(key.public.toString("latin1"));
    return der === undefined ? undefined : keyOfCertificate(der);
  }
  if (key.keyType !== "ed25519") return keyOfSpki(key.public);
  return keyOfSpki(Buffer.concat([ed25519Prefix, key.public]));
}

/** DER with anything behind it is refused, as Go refuses it. */
function keyOfCertificate(der: Buffer): KeyObject | undefined {
  try {
    const certificate = new X509Certificate(der);
    return certificate.raw.equals(der) ? certificate.publicKey : undefined;
  } catch {
    return undefined;
  }
}

function keyOfSpki(der: Buffer): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: der, type: "spki", format: "der" });
    return key.export({ type: "spki", format: "der" }).equals(der) ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Go reads the four NIST curves by name, with an uncompressed point: each then has one length as SPKI DER. */
function isNamedCurveKey(key: KeyObject): boolean {
  const length = spkiLengths.get(key.asymmetricKeyDetails?.namedCurve ?? "");
  return key.asymmetricKeyType === "ec" && key.export({ type: "spki", format: "der" }).length === length;
}

const spkiLengths = new Map([
  ["secp224r1", 80],
  ["prime256v1", 91],
  ["secp384r1", 120],
  ["secp521r1", 158],
]);
/** The prefix names a length of 32, so that other lengths are no DER. */
const ed25519Prefix = Buffer.from("302a300506032b6570032100", "hex");
