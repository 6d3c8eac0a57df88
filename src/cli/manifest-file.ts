import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Fault } from "../errors.ts";
import { parseDelegationCertificate } from "../x509/certificate.ts";
import { readPem } from "../x509/pem.ts";
import { holdsPrivateKey } from "../x509/private-key.ts";
import { UsageError } from "./exit-code.ts";
import type { Manifest } from "./manifest.ts";
import { type CertificateReader, type CertificateText, readManifest } from "./manifest-reader.ts";
import type { Terminal } from "./terminal.ts";
import type { FileFault } from "./yaml-reader.ts";

const longestManifest = 64 * 1024 * 1024;
const longestCertificate = 256 * 1024;

/**
 * Reads a file of `imagetrust apply`, `-` for standard input; certificates that it names by path stand beside it. Throws Fault
 * INVALID_FIELD with every fault and its line, PRIVATE_KEY_PRESENTED where the file or a certificate's file holds a private key, and
 * UsageError when the file cannot be read.
 */
export async function loadManifest(terminal: Terminal, file: string): Promise<Manifest> {
  const bytes = file === "-" ? await readInput(terminal) : readFile(file);
  refusePrivateKey(bytes, "The file");
  const faults: FileFault[] = [];
  const folder = file === "-" ? process.cwd() : dirname(resolve(file));
  const manifest = readManifest(new TextDecoder("utf-8").decode(bytes), certificatesBeside(folder), faults);
  requireFaultless(file, faults);
  return manifest;
}

/** Refuses with INVALID_FIELD when there is any fault, and names all of them with their lines. */
export function requireFaultless(file: string, faults: readonly FileFault[]): void {
  if (faults.length === 0) return;
  const fields = [...faults]
    .sort((one, other) => one.line - other.line)
    .map(({ line, fault }) => ({ field: `${file}:${line}`, fault }));
  throw new Fault("INVALID_FIELD", "The file cannot be applied; nothing was changed.", { fields });
}

/** Reads certificates that stand in the file, or in a file named from its folder. */
function certificatesBeside(folder: string): CertificateReader {
  const fromText = (pem: string, what = "The file"): CertificateText => {
    refusePrivateKey(Buffer.from(pem), what);
    const body = readPem(pem).blocks[0]?.body;
    const parsed = parseDelegationCertificate(pem, new Date());
    const faults = parsed.ok ? [] : parsed.faults;
    if (body === undefined) return { ok: false, fault: faults[0] ?? "must be a certificate, PEM" };
    return { ok: true, certificate: { pem, sha256: createHash("sha256").update(body).digest("hex"), faults } };
  };
  return {
    fromText,
    fromFile: (path) => {
      const file = resolve(folder, path);
      try {
        if (statSync(file).size > longestCertificate)
          return { ok: false, fault: `${path} is too large for a certificate` };
        const bytes = readFileSync(file);
        refusePrivateKey(bytes, path);
        return fromText(new TextDecoder("utf-8").decode(bytes), path);
      } catch (error) {
        if (error instanceof Fault) throw error;
        return { ok: false, fault: `cannot read ${path}: ${(error as Error).message}` };
      }
    },
  };
}

function refusePrivateKey(bytes: Uint8Array, what: string): void {
  if (!holdsPrivateKey(bytes)) return;
  throw new Fault(
    "PRIVATE_KEY_PRESENTED",
    `${what} holds a private key, so nothing was sent. Give certificates alone (cert.pem), and consider that key exposed if the file is shared.`,
  );
}

function readFile(file: string): Buffer {
  try {
    if (statSync(file).size > longestManifest) throw new Error("it is larger than 64 MiB");
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`--file: cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function readInput(terminal: Terminal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of terminal.input()) {
    length += chunk.length;
    if (length > longestManifest) throw new UsageError("Standard input is larger than 64 MiB.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
