import { readFileSync, statSync } from "node:fs";
import type { z } from "zod";
import { cannotBeRead, type Given, memberAuthoritiesOf, type Report, requireReadable } from "./configured-files.ts";
import { Fault, type FieldFault } from "./errors.ts";
import type { LogLevel } from "./logger.ts";
import { type NotaryServerSettings, parseNotarySettings } from "./notary/settings.ts";
import { type Address, notaryServers, type SettingName, type Settings, settings } from "./settings.ts";

/** One Notary server, and the URL under which members reach it. */
export interface ConfiguredNotary extends NotaryServerSettings {
  readonly publicUrl: string;
}

/** Everything `serve` is told; lives in days, times in milliseconds. Undefined where the development default stands in. */
export interface Config {
  readonly listen: Address;
  readonly metricsListen: Address | undefined;
  readonly dataDirectory: string;
  /** As the serving role; undefined: the embedded PostgreSQL. */
  readonly databaseUrl: string | undefined;
  readonly databaseConnections: number;
  /** Undefined: the development CA. */
  readonly tls: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile: string } | undefined;
  /** Undefined: the default policies for the development identities. */
  readonly policyDirectory: string | undefined;
  /** Undefined: anybody may have issued members' certificates. */
  readonly memberAuthorities: { readonly bundleFile: string; readonly listFiles: readonly string[] } | undefined;
  /** Whether new teams take proved keys only. */
  readonly requirePossessionProof: boolean;
  /** Undefined: one made in the data directory. */
  readonly keyEncryptionKey: { readonly file: string } | { readonly value: string } | undefined;
  readonly deployment: string;
  readonly rootLifeDays: number;
  readonly targetsLifeDays: number;
  readonly notaryServers: readonly ConfiguredNotary[];
  readonly publisherConcurrency: number;
  readonly patrolIntervalMs: number;
  readonly maxWaitMs: number;
  readonly logLevel: LogLevel;
  readonly healthWaitMs: number;
  readonly drainGraceMs: number;
  readonly traceSamplingRatio: number;
  /** IMAGETRUST_ variables that are no setting: misspelt, or another program's. */
  readonly unknownVariables: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration of `serve` from the environment and the files it names.
 * Throws one INVALID_FIELD that names every fault; values that may be secret are never repeated in it.
 */
export function parseConfig(environment: Environment): Config {
  const given = withoutEmpty(environment);
  const faults: FieldFault[] = [];
  const report: Report = (field, fault) => void faults.push({ field, fault });
  const read = readSettings(given, report);
  const databaseUrl = eitherOf(given, "DATABASE_URL", "IMAGETRUST_DATABASE_URL_FILE", report);
  const tls = tlsOf(given, report);
  const keyEncryptionKey = keyEncryptionKeyOf(given, databaseUrl, report);
  const memberAuthorities = memberAuthoritiesOf(given, report);
  const notaries = notariesOf(given, report);
  requirePolicies(given, report);
  if (faults.length > 0 || read === undefined) throw configurationFault(faults);
  return {
    listen: read.IMAGETRUST_LISTEN,
    metricsListen: read.IMAGETRUST_METRICS_LISTEN,
    dataDirectory: read.IMAGETRUST_DATA_DIR,
    databaseUrl,
    databaseConnections: read.IMAGETRUST_DATABASE_CONNECTIONS,
    tls,
    policyDirectory: read.IMAGETRUST_POLICY_DIR,
    memberAuthorities,
    requirePossessionProof: read.IMAGETRUST_REQUIRE_POSSESSION_PROOF,
    keyEncryptionKey,
    deployment: read.IMAGETRUST_DEPLOYMENT,
    rootLifeDays: read.IMAGETRUST_ROOT_LIFE_DAYS,
    targetsLifeDays: read.IMAGETRUST_TARGETS_LIFE_DAYS,
    notaryServers: notaries,
    publisherConcurrency: read.IMAGETRUST_PUBLISHER_CONCURRENCY,
    patrolIntervalMs: read.IMAGETRUST_PATROL_INTERVAL_MINUTES * 60_000,
    maxWaitMs: read.IMAGETRUST_MAX_WAIT_MS,
    logLevel: read.IMAGETRUST_LOG_LEVEL,
    healthWaitMs: read.IMAGETRUST_HEALTH_WAIT_MS,
    drainGraceMs: read.IMAGETRUST_DRAIN_GRACE_MS,
    traceSamplingRatio: read.IMAGETRUST_TRACE_SAMPLING_RATIO,
    unknownVariables: unknownOf(given),
  };
}

/** Reads what `migrate` needs: the database as its owner. Throws one INVALID_FIELD that names every fault. */
export function parseMigrationUrl(environment: Environment): string {
  const given = withoutEmpty(environment);
  const faults: FieldFault[] = [];
  const report: Report = (field, fault) => void faults.push({ field, fault });
  const names = ["IMAGETRUST_MIGRATION_DATABASE_URL", "IMAGETRUST_MIGRATION_DATABASE_URL_FILE"] as const;
  readSettings({ [names[0]]: given[names[0]], [names[1]]: given[names[1]] }, report);
  const url = eitherOf(given, ...names, report);
  if (url === undefined && faults.length === 0) report(names[0], `must be set, or ${names[1]}`);
  if (url === undefined || faults.length > 0) throw configurationFault(faults);
  return url;
}

function configurationFault(faults: readonly FieldFault[]): Fault {
  const lines = faults.map(({ field, fault }) => `  ${field} ${fault}`);
  return new Fault("INVALID_FIELD", `The configuration is wrong:\n${lines.join("\n")}`, { fields: faults });
}

/** Compose files and manifests pass unset variables on as empty ones. */
function withoutEmpty(environment: Environment): Given {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
}

function readSettings(given: Given, report: Report): Settings | undefined {
  const read = settings.safeParse(given);
  for (const issue of read.error?.issues ?? []) report(String(issue.path[0]), issue.message);
  return read.data;
}

/** A value that stands in a variable or in a file; undefined if in neither. */
function eitherOf(given: Given, variable: SettingName, file: SettingName, report: Report): string | undefined {
  const path = given[file];
  if (path === undefined) return given[variable];
  if (given[variable] !== undefined) report(file, `must not be set together with ${variable}`);
  const text = readText(file, path, report)?.trim();
  const value = text === undefined ? undefined : settings.shape[variable].safeParse(text);
  for (const issue of value?.error?.issues ?? []) report(file, `names a file whose content ${issue.message}`);
  return text;
}

function readText(name: string, path: string, report: Report): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    report(name, cannotBeRead(error));
    return undefined;
  }
}

function tlsOf(given: Given, report: Report): Config["tls"] {
  const names = ["IMAGETRUST_TLS_CERT_FILE", "IMAGETRUST_TLS_KEY_FILE", "IMAGETRUST_TLS_CLIENT_CA_FILE"] as const;
  for (const name of names) requireReadable(name, given[name], report);
  const [certFile, keyFile, clientCaFile] = names.map((name) => given[name]);
  if (certFile !== undefined && keyFile !== undefined && clientCaFile !== undefined) {
    return { certFile, keyFile, clientCaFile };
  }
  const some = names.filter((name) => given[name] !== undefined);
  for (const name of names) {
    if (some.length > 0 && given[name] === undefined) report(name, `must be set, because ${some.join(" and ")} is`);
  }
  return undefined;
}

function requirePolicies(given: Given, report: Report): void {
  const directory = given["IMAGETRUST_POLICY_DIR"];
  if (directory === undefined) {
    if (given["IMAGETRUST_TLS_CERT_FILE"] === undefined) return;
    report(
      "IMAGETRUST_POLICY_DIR",
      "must be set with TLS files: the default entities know the development identities only",
    );
  } else if (!isDirectory(directory)) {
    report("IMAGETRUST_POLICY_DIR", `must name a directory that can be looked into, and ${directory} is none`);
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function keyEncryptionKeyOf(given: Given, url: string | undefined, report: Report): Config["keyEncryptionKey"] {
  const value = given["IMAGETRUST_KEY_ENCRYPTION_KEY"];
  const file = given["IMAGETRUST_KEY_ENCRYPTION_KEY_FILE"];
  requireReadable("IMAGETRUST_KEY_ENCRYPTION_KEY_FILE", file, report);
  if (value !== undefined && file !== undefined) {
    report("IMAGETRUST_KEY_ENCRYPTION_KEY_FILE", "must not be set together with IMAGETRUST_KEY_ENCRYPTION_KEY");
  }
  if (value === undefined && file === undefined && url !== undefined) {
    report(
      "IMAGETRUST_KEY_ENCRYPTION_KEY_FILE",
      "must be set, or IMAGETRUST_KEY_ENCRYPTION_KEY: a key made in the data directory would not outlive it as the database does",
    );
  }
  if (file !== undefined) return { file };
  return value === undefined ? undefined : { value };
}

function notariesOf(given: Given, report: Report): readonly ConfiguredNotary[] {
  const file = given["IMAGETRUST_NOTARY_SERVERS_FILE"];
  const name = file === undefined ? "IMAGETRUST_NOTARY_SERVERS" : "IMAGETRUST_NOTARY_SERVERS_FILE";
  const text = eitherOf(given, "IMAGETRUST_NOTARY_SERVERS", "IMAGETRUST_NOTARY_SERVERS_FILE", report);
  if (text === undefined) {
    if (file === undefined)
      report(name, "must be set, or IMAGETRUST_NOTARY_SERVERS_FILE: there is no Notary to publish to");
    return [];
  }
  const described = notaryServers.safeParse(parseJson(text));
  for (const issue of described.error?.issues ?? []) report(name + pathOf(issue), issue.message);
  if (described.data === undefined) return [];
  try {
    parseNotarySettings(described.data);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    for (const { field, fault } of error.fields) report(field.replace("notaryServers", name), fault);
  }
  return described.data.map((server) => ({ ...server, publicUrl: server.publicUrl ?? server.baseUrl }));
}

/** Undefined, which no schema here accepts, when the text is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function pathOf(issue: z.core.$ZodIssue): string {
  return issue.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
}

/** What the `imagetrust` command reads, on machines where both run. */
const clientVariables = new Set(["ADDRESS", "CA", "CERT", "KEY"].map((name) => `IMAGETRUST_${name}`));
/** Kubernetes puts `<SERVICE>_SERVICE_HOST`, `<SERVICE>_PORT_8443_TCP` and the like beside them. */
const kubernetes = /^IMAGETRUST(?:_[A-Z0-9_]+)?_(?:SERVICE|PORT)(?:_|$)/;

function unknownOf(given: Given): readonly string[] {
  return Object.keys(given).filter(
    (name) =>
      name.startsWith("IMAGETRUST_") &&
      !Object.hasOwn(settings.shape, name) &&
      !clientVariables.has(name) &&
      !kubernetes.test(name),
  );
}
