import { constants, type KeyObject, verify } from "node:crypto";
import type { TufKeyId } from "../names.ts";
import { publicKeyOf, type TufKey, tufKeyIdOf } from "./key.ts";

/** One signature of an envelope. */
export interface Signature {
  readonly keyId: TufKeyId;
  /** Lower case: `ecdsa`, `rsapss`, `eddsa`, `rsapkcs1v15`. */
  readonly method: string;
  readonly sig: Buffer;
}

/**
 * Whether the signature is the key's over the payload, as Notary's clients judge it: `ecdsa` is r||s of full length over SHA-256
 * on any curve, `rsapss` has a salt of 32 bytes, `eddsa` is over the payload itself. False for a signature that names another key.
 * Source: Notary, tuf/signed/verifiers.go.
 */
export function verifySignature(key: TufKey, signature: Signature, payload: Buffer): boolean {
  if (signature.keyId !== tufKeyIdOf(key)) return false;
  const publicKey = publicKeyOf(key);
  if (publicKey === undefined) return false;
  switch (signature.method) {
    case "ecdsa":
      return publicKey.asymmetricKeyType === "ec" && verifyEcdsa(publicKey, signature.sig, payload);
    case "rsapss":
      return publicKey.asymmetricKeyType === "rsa" && verify("sha256", payload, pss(publicKey), signature.sig);
    case "rsapkcs1v15":
      return publicKey.asymmetricKeyType === "rsa" && verify("sha256", payload, publicKey, signature.sig);
    case "eddsa":
      return publicKey.asymmetricKeyType === "ed25519" && verify(null, payload, publicKey, signature.sig);
    default:
      return false;
  }
}

/** node:crypto takes r||s of exactly twice the curve's length, as Go does. */
function verifyEcdsa(key: KeyObject, sig: Buffer, payload: Buffer): boolean {
  return verify("sha256", payload, { key, dsaEncoding: "ieee-p1363" }, sig);
}

function pss(key: KeyObject): { key: KeyObject; padding: number; saltLength: number } {
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
}
