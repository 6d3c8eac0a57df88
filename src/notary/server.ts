import { createHash } from "node:crypto";
import type { Attributes } from "@opentelemetry/api";
import { Fault } from "../errors.ts";
import type { Gun, RoleName } from "../names.ts";
import { parseServerKey } from "../tuf/key.ts";
import { MetadataError } from "../tuf/metadata-error.ts";
import { classifyRead, classifyUpload, describeAnswer, type UploadAnswer } from "./answers.ts";
import { basePathOf, type Connection, openConnection, type Question } from "./connection.ts";
import { type ExchangeAnswer, ExchangeFailure } from "./exchange.ts";
import { type FeedRow, parseFeed } from "./feed.ts";
import { encodeMultipart, type UploadFile } from "./multipart.ts";
import type { Endpoint } from "./settings.ts";

export type { UploadAnswer } from "./answers.ts";
export type { FeedRow } from "./feed.ts";

/**
 * One Notary v1 server. Requests wait in one queue, first come first served, one at a time by default: notary-server 0.7 on SQL
 * storage dies at random when its unsafe metadata cache is used at once (uploads, reads of current metadata and by hash), and opens
 * a new database connection for whatever else it does meanwhile.
 *
 * Reads throw Fault NOTARY_UNAVAILABLE for whatever the server or the network does, and when the signal aborts its reason,
 * if that is a Fault, else Fault CANCELLED. Nothing is repeated here, no redirect is followed, no cache is asked.
 */
export interface NotaryServer {
  readonly name: string;
  readonly baseUrl: string;
  /**
   * Posts the files as one update: all of them land or none. Never throws; an abort is UNREACHABLE too.
   * An upload that was given up after it left keeps its place in the queue until the server is through with it.
   */
  upload(gun: Gun, files: readonly UploadFile[], signal: AbortSignal): Promise<UploadAnswer>;
  /** `<version>.<role>.json`; undefined = absent. It goes past the server's cache. */
  readVersion(gun: Gun, role: RoleName, version: number, signal: AbortSignal): Promise<Buffer | undefined>;
  /**
   * `<role>.json`; undefined = absent, a delegation that was never signed included.
   * An expired timestamp or snapshot is renewed by the server before it answers: this read can write.
   */
  readCurrent(gun: Gun, role: RoleName, signal: AbortSignal): Promise<Buffer | undefined>;
  /** `<role>.<sha256>.json`; undefined = absent. Other bytes than the lower-case hex hash names are a fault. */
  readByHash(gun: Gun, role: RoleName, sha256: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** The body of `<role>.key`, as it is but proved to hold a key. The server makes the key if it has none. */
  readServerKey(gun: Gun, role: "snapshot" | "timestamp", signal: AbortSignal): Promise<Buffer>;
  /**
   * At most `most` rows of the changefeed above an id, in the order of their ids; ids may become visible out of order. A hint:
   * rows may name nothing, and a feed may begin anew.
   */
  changefeed(after: bigint, most: number, signal: AbortSignal): Promise<readonly FeedRow[]>;
  /** Differs from an earlier answer if the server process was restarted since, or a connection to it broke. It waits for nothing else. */
  generation(signal: AbortSignal): Promise<string>;
  /** Breaks what is under way. */
  close(): Promise<void>;
}

/** Opens a client of one server; no connection is made before the first request. */
export function openNotaryServer(endpoint: Endpoint): NotaryServer {
  const connection = openConnection(endpoint);
  const reader = readerOf(endpoint.name, connection);
  return {
    name: endpoint.name,
    baseUrl: `${endpoint.url.origin}${basePathOf(endpoint.url)}`,
    upload: (gun, files, signal) => upload(connection, gun, files, signal),
    readVersion: (gun, role, version, signal) =>
      reader.file(gun, role, `${version}.${role}.json`, { form: "pinned", touches: "database" }, signal),
    readCurrent: (gun, role, signal) =>
      reader.file(gun, role, `${role}.json`, { form: "current", touches: "cache" }, signal),
    readByHash: async (gun, role, sha256, signal) => {
      const file = `${role}.${sha256}.json`;
      const bytes = await reader.file(gun, role, file, { form: "pinned", touches: "cache" }, signal);
      if (bytes === undefined || createHash("sha256").update(bytes).digest("hex") === sha256) return bytes;
      throw unavailable(endpoint.name, "it answered with other bytes than the hash asked for");
    },
    readServerKey: (gun, role, signal) => reader.serverKey(gun, role, signal),
    changefeed: (after, most, signal) => reader.changefeed(after, most, signal),
    generation: async (signal) => `${await reader.processStart(signal)}/${connection.resets}`,
    close: () => connection.close(),
  };
}

async function upload(
  connection: Connection,
  gun: Gun,
  files: readonly UploadFile[],
  signal: AbortSignal,
): Promise<UploadAnswer> {
  const { contentType, body } = encodeMultipart(files);
  const question: Question = {
    operation: {
      name: "upload",
      attributes: { "notary.gun": gun, "notary.roles": files.map((file) => file.role) },
    },
    touches: "cache",
    path: pathOf(gun, ""),
    headers: { "content-type": contentType },
    body,
  };
  try {
    return await connection.ask(
      question,
      (answer) => classifyUpload(answer.status, answer.body),
      (answer) => answer.kind.toLowerCase(),
      signal,
    );
  } catch (error) {
    if (error instanceof ExchangeFailure) return { kind: "UNREACHABLE", sent: error.sent, detail: error.message };
    if (!signal.aborted) throw error;
    return { kind: "UNREACHABLE", sent: false, detail: "the upload was given up before it left" };
  }
}

interface Reader {
  file(
    gun: Gun,
    role: RoleName,
    file: string,
    how: { readonly form: "current" | "pinned"; readonly touches: "cache" | "database" },
    signal: AbortSignal,
  ): Promise<Buffer | undefined>;
  serverKey(gun: Gun, role: "snapshot" | "timestamp", signal: AbortSignal): Promise<Buffer>;
  changefeed(after: bigint, most: number, signal: AbortSignal): Promise<readonly FeedRow[]>;
  /** Unix seconds as the server writes them; `unknown` for a server that does not show its metrics. */
  processStart(signal: AbortSignal): Promise<string>;
}

function readerOf(server: string, connection: Connection): Reader {
  async function get<T>(
    question: Omit<Question, "headers" | "body">,
    read: (answer: ExchangeAnswer) => T,
    signal: AbortSignal,
  ): Promise<T> {
    const uncached = { ...question, headers: { "cache-control": "no-cache" } };
    try {
      return await connection.ask(uncached, read, (value) => (value === undefined ? "absent" : "found"), signal);
    } catch (error) {
      if (error instanceof Fault) throw error;
      if (signal.aborted) throw cancelled(signal);
      if (error instanceof ExchangeFailure) throw unavailable(server, error.message, error);
      throw error;
    }
  }
  return {
    file: (gun, role, file, { form, touches }, signal) => {
      const operation = { name: "read" as const, attributes: attributesOf(gun, role, file) };
      const bytesIn = (answer: ExchangeAnswer) => {
        const verdict = classifyRead(answer.status, answer.body, role, form);
        if (verdict.kind === "FAULT") throw unavailable(server, verdict.detail);
        return verdict.kind === "FOUND" ? answer.body : undefined;
      };
      return get({ operation, touches, path: pathOf(gun, file) }, bytesIn, signal);
    },
    serverKey: (gun, role, signal) => {
      const file = `${role}.key`;
      const operation = { name: "read_server_key" as const, attributes: attributesOf(gun, role, file) };
      const keyIn = (answer: ExchangeAnswer) => {
        const verdict = classifyRead(answer.status, answer.body, role as RoleName, "pinned");
        if (verdict.kind === "FOUND" && isKey(answer.body)) return answer.body;
        throw unavailable(server, verdict.kind === "FAULT" ? verdict.detail : `it holds no ${role} key`);
      };
      return get({ operation, touches: "database", path: pathOf(gun, file) }, keyIn, signal);
    },
    changefeed: (after, most, signal) => {
      const operation = { name: "read_changefeed" as const, attributes: {} };
      const rowsIn = (answer: ExchangeAnswer) => {
        const rows = answer.status === 200 ? parseFeed(answer.body) : undefined;
        if (rows === undefined) throw unavailable(server, describeAnswer(answer.status, answer.body));
        return rows;
      };
      const path = `/v2/_trust/changefeed?change_id=${after}&records=${most}`;
      return get({ operation, touches: "database", path }, rowsIn, signal);
    },
    processStart: async (signal) => {
      const operation = { name: "read_generation" as const, attributes: {} };
      const start = await get({ operation, touches: "nothing", path: "/metrics" }, processStartIn, signal);
      if (start === undefined) throw unavailable(server, "its metrics cannot be read just now");
      return start;
    },
  };
}

/** While its signer cannot reach its database, notary-server answers 200 with an empty key. */
function isKey(body: Buffer): boolean {
  try {
    parseServerKey(body);
    return true;
  } catch (error) {
    if (error instanceof MetadataError) return false;
    throw error;
  }
}

function attributesOf(gun: Gun, role: string, file: string): Attributes {
  const version = /^\d+/.exec(file)?.[0];
  const pinned = version === undefined ? {} : { "notary.version": Number(version) };
  return { "notary.gun": gun, "notary.role": role, "notary.file": file, ...pinned };
}

function processStartIn(answer: ExchangeAnswer): string | undefined {
  if (answer.status >= 500) return undefined;
  const start = /^process_start_time_seconds (\S{1,40})$/m.exec(answer.body.toString("latin1"))?.[1];
  return answer.status === 200 && start !== undefined ? start : "unknown";
}

function pathOf(gun: Gun, file: string): string {
  return `/v2/${encodePath(gun)}/_trust/tuf/${encodePath(file)}`;
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function unavailable(server: string, detail: string, cause?: unknown): Fault {
  const message = `Notary server ${server} gave no usable answer: ${detail}. Repeat the call later.`;
  return new Fault("NOTARY_UNAVAILABLE", message, { metadata: { notary: server }, cause });
}

function cancelled(signal: AbortSignal): Fault {
  const reason: unknown = signal.reason;
  return reason instanceof Fault
    ? reason
    : new Fault("CANCELLED", "The call was cancelled before Notary answered.", { cause: reason });
}
