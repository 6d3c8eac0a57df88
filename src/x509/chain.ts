import type { X509Certificate } from "node:crypto";

/**
 * What is wrong with the order or the members of a chain: each certificate must have been issued by the next one, proven by its
 * signature. Places that could not be read are undefined and judged elsewhere. A single certificate has no faults.
 */
export function chainFaultsOf(chain: readonly (X509Certificate | undefined)[]): readonly string[] {
  const first = chain[0];
  if (
    first !== undefined &&
    chain.slice(1).some((other) => other && isOther(first, other) && isIssuedBy(other, first))
  ) {
    return ["must begin with the member's own certificate, but the first one issued another; put the leaf first"];
  }
  return chain.flatMap((issuer, index) => {
    const subject = chain[index - 1];
    if (issuer === undefined || subject === undefined || isIssuedBy(subject, issuer)) return [];
    return [
      `must be one chain, but certificate ${index + 1} did not issue certificate ${index}; ` +
        "order it from the member's certificate upwards and leave out others",
    ];
  });
}

function isOther(a: X509Certificate, b: X509Certificate): boolean {
  return !a.raw.equals(b.raw);
}

/** Whether a certificate names another as its issuer and is signed by its key, which its key usage must allow. */
export function isIssuedBy(subject: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
  } catch {
    // A key of another kind than the signature's: it cannot have signed.
    return false;
  }
}
