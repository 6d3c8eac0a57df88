import { Fault } from "../errors.ts";
import { holdsPrivateKey } from "../x509/private-key.ts";
import { readAll, readBounded, readBundle } from "./bounded-file.ts";
import { certificateOfBundle } from "./client-bundle.ts";
import { UsageError } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** More than any certificate chain needs. */
const maxCertificateBytes = 256 * 1024;

/** Where a certificate is to be read from: exactly one of the two. */
export interface CertificateSource {
  /** A path, or `-` for standard input. */
  readonly file: string | undefined;
  /** The path of a client bundle; empty: none. */
  readonly bundle: string;
}

/**
 * Reads a certificate, PEM, on this machine. Throws Fault PRIVATE_KEY_PRESENTED, before anything is sent, when what would be
 * sent holds a private key; UsageError for what cannot be read.
 */
export async function readCertificate(terminal: Terminal, source: CertificateSource): Promise<string> {
  const { file, bundle } = source;
  if ((file === undefined) === (bundle === "")) {
    throw new UsageError("Give either a certificate file, or a client bundle with --bundle.");
  }
  const bytes =
    file === undefined
      ? certificateOfBundle(await readBundle(bundle))
      : await (file === "-" ? readAll(terminal.input(), maxCertificateBytes) : readBounded(file, maxCertificateBytes));
  if (holdsPrivateKey(bytes)) {
    throw new Fault(
      "PRIVATE_KEY_PRESENTED",
      "This holds a private key, so nothing was sent. Give the certificate alone (cert.pem), or a client bundle with --bundle.",
    );
  }
  return new TextDecoder("utf-8").decode(bytes);
}
