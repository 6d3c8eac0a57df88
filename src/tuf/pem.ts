const certificateBlock = /-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----/;
const anyBlock = /-----BEGIN [^-\r\n]*-----/g;

/** The first PEM block's DER, if that block is a certificate; undefined otherwise. Text around the block is ignored, as in Go. */
export function firstCertificate(pem: string): Buffer | undefined {
  const match = certificateBlock.exec(pem);
  if (match?.[1] === undefined || pem.search(anyBlock) !== match.index) return undefined;
  const body = match[1].replace(/\s/g, "");
  const der = Buffer.from(body, "base64");
  return der.toString("base64") === body ? der : undefined;
}

/** How many PEM blocks of any kind the text begins. */
export function countBlocks(pem: string): number {
  return pem.match(anyBlock)?.length ?? 0;
}

/** A certificate as Go's pem.EncodeToMemory writes it: 64 columns, no headers, one newline at the end. */
export function encodeCertificate(der: Buffer): string {
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
