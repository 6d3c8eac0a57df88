import { sign } from "node:crypto";
import { element, sequence } from "../../src/x509/der.ts";
import {
  daysFrom,
  hex,
  type MadeCertificate,
  nameOf,
  type SignatureKind,
  signatureKinds,
  time,
} from "./make-certificate.ts";

export interface ListWish {
  /** The serial numbers that are revoked, hex. */
  readonly serials?: readonly string[];
  readonly from?: Date;
  /** `none` leaves it out. */
  readonly to?: Date | "none";
  readonly extensions?: readonly Buffer[];
  readonly signer?: MadeCertificate;
  readonly signature?: SignatureKind;
}

/** Makes an authority's revocation list, DER, good for a week around `now` unless said otherwise. */
export function makeRevocationList(now: Date, issuer: MadeCertificate, wish: ListWish = {}): Buffer {
  const { serials = [], to = daysFrom(now, 6), signature = signatureKinds.ecdsaSha256 } = wish;
  const from = wish.from ?? daysFrom(now, -1);
  const tbs = sequence(
    hex("020101"),
    signature.algorithm,
    nameOf(issuer.name),
    time(from),
    ...(to === "none" ? [] : [time(to)]),
    ...(serials.length === 0
      ? []
      : [sequence(...serials.map((serial) => sequence(element(0x02, hex(serial)), time(from))))]),
    ...(wish.extensions === undefined ? [] : [element(0xa0, sequence(...wish.extensions))]),
  );
  const signed = sign(signature.digest, tbs, (wish.signer ?? issuer).privateKey);
  return sequence(tbs, signature.algorithm, element(0x03, hex("00"), signed));
}

export function listPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN X509 CRL-----", ...lines, "-----END X509 CRL-----", ""].join("\n");
}
