import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { Fault, type FieldFault } from "../errors.ts";

/** One Notary server as configured. */
export interface NotaryServerSettings {
  /** Collections are bound to it: it must stay as long as they live. */
  readonly name: string;
  /** `https://host[:port][/sub/path]`; plain http on a loopback address only. */
  readonly baseUrl: string;
  /** Registry hosts of the GUNs it serves, port included: `dtr.example.org`, `*.example.org` for every host below, `*` for all. */
  readonly registryHosts: readonly string[];
  /** PEM file of the authorities to trust instead of the system's. */
  readonly caFile?: string | undefined;
  /** PEM files of the client certificate (with its chain) and its key. */
  readonly clientCertFile?: string | undefined;
  readonly clientKeyFile?: string | undefined;
  /** Uploads and reads of current metadata that may run at once; default 1, as notary-server 0.7 needs it. */
  readonly concurrency?: number | undefined;
  /** For one request, connecting included; default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Longest metadata file that is read; default 16 MiB. */
  readonly maxBodyBytes?: number | undefined;
}

/** Settings that were checked, with defaults filled in and files read. */
export interface Endpoint {
  readonly name: string;
  readonly url: URL;
  readonly registryHosts: readonly string[];
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly concurrency: number;
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes: number;
}

/**
 * Checks the settings of all servers together and reads their files.
 * Throws one INVALID_FIELD that names every fault: a bad value, an unreadable file, a name, a server or a registry host given twice.
 */
export function parseNotarySettings(settings: readonly NotaryServerSettings[]): readonly Endpoint[] {
  const faults: FieldFault[] = [];
  const endpoints = settings.map((server, index) =>
    parseServer(server, (field, fault) => faults.push({ field: `notaryServers[${index}].${field}`, fault })),
  );
  faults.push(...twins(settings));
  if (settings.length === 0) faults.push({ field: "notaryServers", fault: "must name at least one Notary server" });
  if (faults.length > 0) {
    const list = faults.map(({ field, fault }) => `${field} ${fault}`).join("; ");
    throw new Fault("INVALID_FIELD", `The configuration of Notary servers is wrong: ${list}.`, { fields: faults });
  }
  return endpoints;
}

type Report = (field: string, fault: string) => void;

function parseServer(server: NotaryServerSettings, report: Report): Endpoint {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(server.name)) {
    report("name", "must be 1 to 64 lower-case letters, digits, `.`, `_` or `-`, beginning with a letter or digit");
  }
  if (server.registryHosts.length === 0)
    report("registryHosts", "must hold at least one pattern; `*` serves every host");
  for (const pattern of server.registryHosts) {
    if (!hostPattern.test(pattern)) {
      report(
        "registryHosts",
        `must hold registry hosts, \`*.example.org\` or \`*\`, in lower case, not ${show(pattern)}`,
      );
    }
  }
  const url = parseBaseUrl(server.baseUrl, report);
  return {
    name: server.name,
    url,
    registryHosts: server.registryHosts,
    tls: readTls(server, url, report),
    concurrency: within(server.concurrency ?? 1, 1, 64, "concurrency", report),
    requestTimeoutMs: within(server.requestTimeoutMs ?? 30_000, 100, 600_000, "requestTimeoutMs", report),
    maxBodyBytes: within(server.maxBodyBytes ?? 16 * 1024 ** 2, 1, 1024 ** 3, "maxBodyBytes", report),
  };
}

const hostPattern = /^(?:\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)$/;

function parseBaseUrl(text: string, report: Report): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    report("baseUrl", "must be an https URL such as https://notary.example.org");
    return new URL("https://invalid.invalid");
  }
  if (url.username !== "" || url.password !== "") report("baseUrl", "must not hold a user or a password");
  if (url.search !== "" || url.hash !== "") report("baseUrl", "must not hold a query or a fragment");
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    report("baseUrl", "must use https: over plain http anybody on the way could hand out server keys of their own");
  }
  return url;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function readTls(server: NotaryServerSettings, url: URL, report: Report): Endpoint["tls"] {
  const read = (field: "caFile" | "clientCertFile" | "clientKeyFile") => readPem(server[field], field, url, report);
  const ca = read("caFile");
  const cert = read("clientCertFile");
  const key = read("clientKeyFile");
  if (ca !== undefined && !certificates(ca)?.length) report("caFile", "must hold PEM certificates");
  if ((server.clientCertFile === undefined) !== (server.clientKeyFile === undefined)) {
    report("clientCertFile", "and clientKeyFile must be given together");
  }
  if (cert !== undefined && key !== undefined && !belongTogether(cert, key)) {
    report("clientKeyFile", "must hold the unencrypted PEM private key of the certificate in clientCertFile");
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function readPem(path: string | undefined, field: string, url: URL, report: Report): string | undefined {
  if (path === undefined) return undefined;
  if (url.protocol === "http:") report(field, "has no meaning over plain http");
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    report(field, `cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown fault"})`);
    return undefined;
  }
}

/** The certificates of a PEM text, or undefined if one of them cannot be parsed. */
function certificates(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function belongTogether(cert: string, key: string): boolean {
  try {
    return certificates(cert)?.[0]?.checkPrivateKey(createPrivateKey(key)) === true;
  } catch {
    return false;
  }
}

function within(value: number, least: number, most: number, field: string, report: Report): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    report(field, `must be a whole number from ${least} to ${most}`);
  }
  return value;
}

/** Everything that two servers, or one server twice, claim. */
function twins(settings: readonly NotaryServerSettings[]): readonly FieldFault[] {
  return [
    ...repeated(settings, "name", (server) => [server.name]),
    ...repeated(settings, "baseUrl", (server) => [
      URL.parse(server.baseUrl)?.href.replace(/\/+$/, "") ?? server.baseUrl,
    ]),
    ...repeated(settings, "registryHosts", (server) => server.registryHosts),
  ];
}

function repeated(
  settings: readonly NotaryServerSettings[],
  field: string,
  valuesOf: (server: NotaryServerSettings) => readonly string[],
): readonly FieldFault[] {
  const owners = new Map<string, number>();
  return settings.flatMap((server, index) =>
    valuesOf(server).flatMap((value) => {
      const owner = owners.get(value);
      owners.set(value, owner ?? index);
      if (owner === undefined) return [];
      const fault = `must not repeat ${show(value)}, which stands in notaryServers[${owner}] already`;
      return [{ field: `notaryServers[${index}].${field}`, fault }];
    }),
  );
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
