import { createPrivateKey, X509Certificate } from "node:crypto";
import { promises } from "node:fs";
import { createSecureContext } from "node:tls";
import { Fault } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RpcMetrics } from "./metrics.ts";
import { directoriesOf, watchFiles } from "./watch-files.ts";

/** PEM files of the server's certificate with its chain, its key, and the authorities of client certificates. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
}

/** A certificate with its key and the authorities of callers, which belong together. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** Material that may change while the server runs; new connections use the newest. */
export interface CertificateSource {
  readonly current: TlsMaterial;
  /** Called after every change, with `current` already new. */
  onChange(listener: (material: TlsMaterial) => void): void;
  /** Looks for changes at once, as on SIGHUP. */
  reload(): Promise<void>;
  close(): void;
}

/**
 * Reads the files and follows their changes. A pair that does not fit, as between the writing of one file and the other, is not
 * taken up: the last good one goes on. Throws INVALID_FIELD with every fault when the files cannot be used at the start.
 */
export async function openCertificates(
  files: TlsFiles,
  log: Logger,
  metrics: RpcMetrics,
  pollMs?: number,
): Promise<CertificateSource> {
  const paths = [files.certFile, files.keyFile, files.clientCaFile];
  let current = await requireMaterial(files);
  tellEnd(current, log, metrics);
  const listeners = new Set<(material: TlsMaterial) => void>();
  const watch = await watchFiles({
    files: () => Promise.resolve(paths),
    directories: directoriesOf(paths),
    failed: (error) => log.error({ err: error }, "kept the old certificate"),
    changed: async () => {
      const read = await readMaterial(files);
      metrics.certificatesReloaded(read.ok ? "changed" : "kept");
      if (!read.ok) {
        log.error({ faults: read.faults }, "kept the old certificate");
        return;
      }
      current = read.value;
      log.info({ notAfter: new X509Certificate(current.cert).validToDate }, "took up a changed certificate");
      tellEnd(current, log, metrics);
      for (const listener of listeners) listener(current);
    },
    ...(pollMs === undefined ? {} : { pollMs }),
  });
  return {
    get current() {
      return current;
    },
    onChange: (listener) => void listeners.add(listener),
    reload: () => watch.look(),
    close: () => watch.close(),
  };
}

type ReadMaterial =
  | { readonly ok: true; readonly value: TlsMaterial }
  | { readonly ok: false; readonly faults: readonly string[] };

async function requireMaterial(files: TlsFiles): Promise<TlsMaterial> {
  const read = await readMaterial(files);
  if (read.ok) return read.value;
  const fields = read.faults.map((fault) => ({ field: "tls", fault }));
  throw new Fault("INVALID_FIELD", `The TLS files cannot be used:\n  ${read.faults.join("\n  ")}`, { fields });
}

async function readMaterial(files: TlsFiles): Promise<ReadMaterial> {
  const faults: string[] = [];
  const read = async (path: string) =>
    promises.readFile(path).catch((error: NodeJS.ErrnoException) => {
      faults.push(`${path} cannot be read (${error.code})`);
      return undefined;
    });
  const cert = await read(files.certFile);
  const key = await read(files.keyFile);
  const ca = await read(files.clientCaFile);
  const leaf = cert && attempt(() => new X509Certificate(cert), `${files.certFile} holds no PEM certificate`, faults);
  const secret = key && attempt(() => createPrivateKey(key), `${files.keyFile} holds no unencrypted PEM key`, faults);
  if (ca) attempt(() => new X509Certificate(ca), `${files.clientCaFile} holds no PEM certificate`, faults);
  if (leaf && secret && !leaf.checkPrivateKey(secret)) {
    faults.push(`${files.keyFile} is not the key of the certificate in ${files.certFile}`);
  }
  if (cert === undefined || key === undefined || ca === undefined || faults.length > 0) return { ok: false, faults };
  const value = { cert, key, ca };
  attempt(() => createSecureContext(value), "the TLS library refuses certificate, key or authorities", faults);
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value };
}

function attempt<T>(read: () => T, fault: string, faults: string[]): T | undefined {
  try {
    return read();
  } catch {
    faults.push(fault);
    return undefined;
  }
}

const soonMs = 7 * 86_400_000;

function tellEnd(material: TlsMaterial, log: Logger, metrics: RpcMetrics): void {
  const notAfter = new X509Certificate(material.cert).validToDate;
  metrics.certificateEnds(notAfter);
  if (notAfter.getTime() - Date.now() < soonMs) log.warn({ notAfter }, "the server certificate ends within a week");
}
