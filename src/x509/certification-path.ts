import type { X509Certificate } from "node:crypto";
import type { Authorities } from "./authorities.ts";
import { isIssuedBy } from "./chain.ts";
import { type PathFacts, pathFactsOf, purposes } from "./issuer-facts.ts";
import { formFaultOf, keyFaultOf, signatureFaultOf } from "./notary-rules.ts";
import { isListOf, type RevocationList, serialOf } from "./revocation-list.ts";

/** What is wrong with a certificate's descent. */
export interface PathJudgement {
  /** Each with its remedy; empty: nothing. */
  readonly faults: readonly string[];
  /** Why it cannot be told whether a certificate of the path was revoked, though nothing is wrong with it. */
  readonly unknown: string | undefined;
}

/**
 * Judges whether a certificate descends from a configured authority (RFC 5280, 6, without policies): signatures, validity, basic
 * constraints, path length, key usages, extensions, revocation. `chain` begins with the certificate, each issued by the next, as
 * chainFaultsOf demands; what stands between it and the authority must be in it. One path without faults is enough; else the faults of
 * the shortest are told.
 */
export function judgePath(chain: readonly X509Certificate[], authorities: Authorities, now: Date): PathJudgement {
  const paths = chain.flatMap((certificate, index) =>
    authorities.anchors
      .filter((anchor) => !anchor.raw.equals(certificate.raw) && isIssuedBy(certificate, anchor))
      .map((anchor) => [...chain.slice(0, index + 1), anchor]),
  );
  const judgements = paths.map((path) => judge(path, authorities, now));
  return (
    judgements.find(({ faults, unknown }) => faults.length === 0 && unknown === undefined) ??
    judgements.find(({ faults }) => faults.length === 0) ??
    judgements[0] ?? { faults: [stranger(chain)], unknown: undefined }
  );
}

function stranger(chain: readonly X509Certificate[]): string {
  const top = chain.at(-1)?.issuer?.split("\n").join(", ") ?? "";
  return (
    `must descend from a configured certificate authority, but none of them issued it (the chain ends at issuer ${top}); ` +
    "have it issued by one, and send the certificates between as a chain with the leaf first"
  );
}

/** `path` ends with the authority. */
function judge(path: readonly X509Certificate[], { lists }: Authorities, now: Date): PathJudgement {
  const facts = path.map(pathFactsOf);
  const faults = path.flatMap((certificate, index) => {
    const name = nameOf(path, index);
    const known = facts[index];
    if (known === undefined) return [`must have readable extensions, but those of ${name} are not; ${again}`];
    const own =
      index === 0
        ? leafFaultsOf(known)
        : [
            ...issuerFaultsOf(known, index - 1, name),
            ...periodFaultsOf(certificate, name, now),
            ...strengthFaultsOf(certificate, index < path.length - 1, name),
          ];
    return [...own, ...known.strange.map((id) => strangeFault(id, name))];
  });
  const served = purposes.filter((purpose) => facts.every((known) => known?.purposes.includes(purpose)));
  if (served.length === 0) {
    faults.push(`must be for client authentication or code signing, as all above it must allow; ${again}`);
  }
  if (faults.length > 0 || lists === undefined) return { faults, unknown: undefined };
  return judgeRevocation(path, facts, lists, now);
}

const again = "have the certificate issued again";

function nameOf(path: readonly X509Certificate[], index: number): string {
  if (index === 0) return "the certificate";
  const subject = path[index]?.subject.split("\n").join(", ") ?? "";
  return `${index === path.length - 1 ? "its authority" : "the intermediate authority"} ${subject}`;
}

function leafFaultsOf(facts: PathFacts): readonly string[] {
  return [
    ...(facts.isAuthority ? ["must be of a member, not of an authority; have one issued for the member"] : []),
    ...(facts.allows("digitalSignature") ? [] : [`must allow digital signatures by its key usage; ${again}`]),
  ];
}

/** `below`: how many authorities stand under this one. */
function issuerFaultsOf(facts: PathFacts, below: number, name: string): readonly string[] {
  return [
    ...(facts.isAuthority
      ? []
      : [`must be issued by authorities only, but ${name} is none (basic constraints); ${other}`]),
    ...(facts.allows("keyCertSign")
      ? []
      : [`must be issued by authorities that may sign certificates, but ${name} may not (key usage); ${other}`]),
    ...((facts.pathLength ?? below) >= below
      ? []
      : [
          `must not stand so deep under ${name}, which allows ${facts.pathLength} authorities below it (path length); ${other}`,
        ]),
  ];
}

const other = "have it issued by another authority";

function periodFaultsOf(certificate: X509Certificate, name: string, now: Date): readonly string[] {
  const [from, to] = [certificate.validFromDate, certificate.validToDate];
  if (now >= from && now <= to) return [];
  return [
    `must descend from authorities that are valid now, but ${name} is valid from ${from.toISOString()} to ${to.toISOString()}; ${other}`,
  ];
}

/** What an authority's own signature is worth matters only below the one that is trusted by itself. */
function strengthFaultsOf(certificate: X509Certificate, isSigned: boolean, name: string): readonly string[] {
  const weak =
    keyFaultOf(certificate) ?? formFaultOf(certificate) ?? (isSigned ? signatureFaultOf(certificate) : undefined);
  return weak === undefined ? [] : [`must descend from sound authorities only, but ${name} is not: it ${weak}`];
}

function strangeFault(id: string, name: string): string {
  return `must not depend on an extension that is not understood here, but ${name} has ${id}; ${other}`;
}

/** Every certificate of the path but the authority at its end must be told good by a list of its issuer that is current. */
function judgeRevocation(
  path: readonly X509Certificate[],
  facts: readonly (PathFacts | undefined)[],
  lists: readonly RevocationList[],
  now: Date,
): PathJudgement {
  const judgements = path.slice(0, -1).map((certificate, index): PathJudgement => {
    const issuer = path[index + 1] as X509Certificate;
    const name = nameOf(path, index);
    const mayList = facts[index + 1]?.allows("cRLSign") === true;
    const own = mayList ? lists.filter((list) => isListOf(list, issuer)) : [];
    if (own.some((list) => list.serials.has(serialOf(certificate.serialNumber)))) {
      return {
        faults: [`must not be revoked, but ${nameOf(path, index + 1)} revoked ${name}; ${again}`],
        unknown: undefined,
      };
    }
    if (own.some((list) => list.thisUpdate <= now && now <= list.nextUpdate)) return { faults: [], unknown: undefined };
    return { faults: [], unknown: unknownBecause(own, nameOf(path, index + 1)) };
  });
  return {
    faults: judgements.flatMap(({ faults }) => faults),
    unknown: judgements.find(({ unknown }) => unknown !== undefined)?.unknown,
  };
}

function unknownBecause(lists: readonly RevocationList[], issuer: string): string {
  const newest = lists.map(({ nextUpdate }) => nextUpdate).sort((a, b) => b.getTime() - a.getTime())[0];
  const why =
    newest === undefined
      ? `there is no revocation list of ${issuer}`
      : `no revocation list of ${issuer} is current, and the newest was good until ${newest.toISOString()}`;
  return `Whether the certificate was revoked cannot be told: ${why}. An operator must bring the newest list; then repeat the call.`;
}
