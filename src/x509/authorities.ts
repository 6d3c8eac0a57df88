import { X509Certificate } from "node:crypto";
import { isDer } from "./der.ts";
import { pathFactsOf } from "./issuer-facts.ts";
import { readPem } from "./pem.ts";
import { parseRevocationLists, type RevocationList } from "./revocation-list.ts";

/** Who may have issued members' certificates, and what they revoked. */
export interface Authorities {
  /** Each is trusted by itself: a path ends at the first of them. */
  readonly anchors: readonly X509Certificate[];
  /** Undefined: nobody is asked whether a certificate was revoked. */
  readonly lists: readonly RevocationList[] | undefined;
}

export type AuthoritiesResult =
  | { readonly ok: true; readonly value: Authorities }
  | { readonly ok: false; readonly faults: readonly string[] };

const mostAnchors = 100;

/**
 * Parses the configured authorities: PEM with one or more certificates of authorities, and the files of their revocation lists, if
 * lists are to be asked. Gives every fault at once; whether something has ended is judged when it is used.
 */
export function parseAuthorities(bundle: Buffer, lists: readonly Buffer[] | undefined): AuthoritiesResult {
  const faults: string[] = [];
  const { blocks, unfinished } = readPem(bundle.toString("latin1"));
  if (unfinished) faults.push("the authorities: a PEM block has no END line");
  if (blocks.length === 0) faults.push("the authorities: there is no PEM certificate");
  if (blocks.length > mostAnchors) faults.push(`the authorities: there must be at most ${mostAnchors}`);
  const anchors = blocks.slice(0, mostAnchors).flatMap(({ label, body }, index) => {
    const read = label === "CERTIFICATE" && body !== undefined ? readAuthority(body) : "is no certificate";
    if (typeof read !== "string") return [read];
    faults.push(`the authorities: block ${index + 1} ${read}`);
    return [];
  });
  const revoked = lists?.flatMap((bytes, index) => {
    const parsed = parseRevocationLists(bytes);
    if (parsed.ok) return parsed.value;
    faults.push(...parsed.faults.map((fault) => `revocation list file ${index + 1} ${fault}`));
    return [];
  });
  return faults.length === 0 ? { ok: true, value: { anchors, lists: revoked } } : { ok: false, faults };
}

function readAuthority(der: Buffer): X509Certificate | string {
  if (!isDer(der)) return "is truncated or not DER";
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return "is no X.509 certificate that can be read";
  }
  const facts = pathFactsOf(certificate);
  if (facts === undefined) return "has extensions that cannot be read";
  return facts.isAuthority ? certificate : "is no authority's certificate (basic constraints)";
}
