import { promises as fs } from "node:fs";
import { Fault } from "../errors.ts";
import { holdsPrivateKey } from "../x509/private-key.ts";
import { certificateOfBundle } from "./client-bundle.ts";
import { UsageError } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** More than any certificate chain needs, and than any client bundle holds. */
const maxCertificateBytes = 256 * 1024;
const maxBundleBytes = 4 * 1024 * 1024;

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
      ? certificateOfBundle(await readBounded(bundle, maxBundleBytes))
      : await (file === "-" ? readAll(terminal.input(), maxCertificateBytes) : readBounded(file, maxCertificateBytes));
  if (holdsPrivateKey(bytes)) {
    throw new Fault(
      "PRIVATE_KEY_PRESENTED",
      "This holds a private key, so nothing was sent. Give the certificate alone (cert.pem), or a client bundle with --bundle.",
    );
  }
  return new TextDecoder("utf-8").decode(bytes);
}

async function readBounded(file: string, limit: number): Promise<Buffer> {
  try {
    await using handle = await fs.open(file);
    return await readAll(handle.createReadStream({ autoClose: false }), limit);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function readAll(stream: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit)
      throw new UsageError(`The file is larger than ${limit / 1024} KiB: that is no certificate and no client bundle.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
