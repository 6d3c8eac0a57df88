import { constants, type KeyObject, sign, verify } from "node:crypto";

/** What the holder of a private key signs to show that it is held, and by nobody's leave but theirs. */
export interface PossessionStatement {
  /** Names the installation of the service: no other one takes the signature. */
  readonly audience: string;
  /** Who asked for the challenge and has to answer it. */
  readonly caller: string;
  readonly member: string;
  /** The canonical id of the key. */
  readonly key: string;
  /** 64 hex digits. */
  readonly nonce: string;
  /** In whole seconds. */
  readonly expiresAt: Date;
}

const heading = "imagetrust proof of possession, version 1";

/**
 * The bytes to be signed: ASCII, one line for each fact, each ended by a line feed. No metadata of Notary and no handshake begins as
 * they do, so that the signature is good for nothing else, and nothing else that the key signs is good for this.
 */
export function possessionText(statement: PossessionStatement): string {
  return `${[
    heading,
    `audience: ${quoted(statement.audience)}`,
    `caller: ${quoted(statement.caller)}`,
    `member: ${quoted(statement.member)}`,
    `key: ${statement.key}`,
    `nonce: ${statement.nonce}`,
    `expires: ${statement.expiresAt.toISOString()}`,
  ].join("\n")}\n`;
}

/** Whether a text is one that possessionText makes, for this member and key: nothing else may be signed for a service that asks. */
export function isPossessionText(text: string, member: string, key: string): boolean {
  const facts =
    /^audience: "[ -~]+"\ncaller: "[ -~]+"\nmember: (.+)\nkey: (.+)\nnonce: [0-9a-f]{64}\nexpires: [0-9TZ:.-]+\n$/;
  const [, named, bound] = (text.startsWith(`${heading}\n`) && facts.exec(text.slice(heading.length + 1))) || [];
  return named === quoted(member) && bound === key;
}

/** Signs a text as verifiesPossession wants it: SHA-256; ECDSA in DER, RSA with PKCS#1 v1.5. Throws for a key of another kind. */
export function signPossession(key: KeyObject, text: string): Buffer {
  if (key.asymmetricKeyType !== "ec" && key.asymmetricKeyType !== "rsa") {
    throw new Error(`A key of type ${key.asymmetricKeyType ?? key.type} cannot be delegated to.`);
  }
  return sign("sha256", Buffer.from(text), key);
}

/** Whether a signature over the text is by this key: SHA-256; ECDSA in DER, RSA with PKCS#1 v1.5 or PSS with any salt. */
export function verifiesPossession(key: KeyObject, text: string, signature: Uint8Array): boolean {
  const bytes = Buffer.from(text);
  if (key.asymmetricKeyType === "ec") return verify("sha256", bytes, { key, dsaEncoding: "der" }, signature);
  return (
    verify("sha256", bytes, { key, padding: constants.RSA_PKCS1_PADDING }, signature) ||
    verify("sha256", bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: anySalt }, signature)
  );
}

const anySalt = constants.RSA_PSS_SALTLEN_AUTO;

/** JSON with everything but printable ASCII escaped: one line, and to be read by people. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
