import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import { AuditServiceService } from "../../gen/imagetrust/v1/audit.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { ExpiryServiceService } from "../../gen/imagetrust/v1/expiry.ts";
import { SignatureServiceService } from "../../gen/imagetrust/v1/signature.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import type { Method } from "../../src/cli/api.ts";
import { runCommand } from "../../src/cli/program.ts";
import { createAuthority, issueIdentity } from "../../src/x509/authority.ts";

for (const name of ["ADDRESS", "CA", "CERT", "KEY"]) delete process.env[`IMAGETRUST_${name}`];

const services = [
  TrustServiceService,
  TeamServiceService,
  DelegationServiceService,
  ExpiryServiceService,
  SignatureServiceService,
  AuditServiceService,
];

/** One request as it arrived: the RPC's path and the exact bytes. */
export interface Arrival {
  readonly path: string;
  readonly bytes: Buffer;
}

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A server of the API over mutual TLS that answers what a test tells it to. */
export interface FakeService {
  readonly folder: string;
  readonly arrivals: readonly Arrival[];
  /** The options by which a command finds it. */
  readonly connection: readonly string[];
  /** Replaces the answer of one RPC; throw `refusal` for an error. Everything else is UNIMPLEMENTED. */
  answer<Request, Response>(method: Method<Request, Response>, handler: (request: Request) => Response): void;
  /** The requests of one RPC, decoded. */
  requests<Request, Response>(method: Method<Request, Response> & Decoder<Request>): readonly Request[];
  /** Runs the command against this service. */
  run(...args: readonly string[]): Promise<Run>;
  close(): void;
}

interface Decoder<Request> {
  readonly requestDeserialize: (bytes: Buffer) => Request;
}

/** An error as the service sends it. */
export function refusal(
  code: status,
  reason: string,
  message: string,
  fields: readonly { field: string; description: string }[] = [],
  facts: Readonly<Record<string, string>> = {},
): Error {
  const info = ErrorInfo.encode({ reason, domain: "imagetrust", metadata: facts }).finish();
  const bad = BadRequest.encode(BadRequest.fromPartial({ fieldViolations: fields })).finish();
  const metadata = new Metadata();
  const details = [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from(info) }];
  if (fields.length > 0)
    details.push({ typeUrl: "type.googleapis.com/google.rpc.BadRequest", value: Buffer.from(bad) });
  metadata.set("grpc-status-details-bin", Buffer.from(Status.encode({ code, message, details }).finish()));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

export async function startFakeService(): Promise<FakeService> {
  const folder = mkdtempSync(join(tmpdir(), "imagetrust-cli-"));
  const files = await writeIdentities(folder);
  const arrivals: Arrival[] = [];
  const answers = new Map<string, (request: unknown) => unknown>();
  const server = new Server();
  for (const service of services) addService(server, service, arrivals, answers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", files.credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const connection = ["--address", `localhost:${port}`, "--ca", files.ca, "--cert", files.cert, "--key", files.key];
  return {
    folder,
    arrivals,
    connection,
    answer: (method, handler) => void answers.set(method.path, handler as (request: unknown) => unknown),
    requests: (method) =>
      arrivals.filter(({ path }) => path === method.path).map(({ bytes }) => method.requestDeserialize(bytes)),
    run: (...args) => runCaptured(...connection, ...args),
    close: () => {
      server.forceShutdown();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Runs the command with exactly these arguments and keeps what it prints. */
export async function runCaptured(...args: readonly string[]): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(args, {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    colour: false,
    isTerminal: false,
    onInterrupt: () => () => undefined,
    input: async function* () {},
  });
  return { code, out: out.join(""), err: err.join("") };
}

function addService(
  server: Server,
  service: (typeof services)[number],
  arrivals: Arrival[],
  answers: ReadonlyMap<string, (request: unknown) => unknown>,
): void {
  const watched = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (bytes: Buffer) => {
      arrivals.push({ path: method.path, bytes: Buffer.from(bytes) });
      return method.requestDeserialize(bytes);
    };
    return [name, { ...method, requestDeserialize }] as const;
  });
  const handlers = watched.map(([name, method]) => {
    const handle: handleUnaryCall<unknown, unknown> = (call, callback) => {
      const answer = answers.get(method.path);
      if (answer === undefined) return callback({ code: status.UNIMPLEMENTED, details: `no answer for ${name}` });
      try {
        callback(null, answer(call.request));
      } catch (error) {
        callback(error as ServiceError);
      }
    };
    return [name, method.responseStream ? streamOf(answers, method.path) : handle] as const;
  });
  server.addService(Object.fromEntries(watched), Object.fromEntries(handlers));
}

/** The answer to a stream is the list of its messages. */
function streamOf(answers: ReadonlyMap<string, (request: unknown) => unknown>, path: string) {
  const handle: handleServerStreamingCall<unknown, unknown> = (call) => {
    try {
      const answer = answers.get(path);
      if (answer === undefined) throw Object.assign(new Error("no answer"), { code: status.UNIMPLEMENTED });
      for (const message of answer(call.request) as readonly unknown[]) call.write(message);
      call.end();
    } catch (error) {
      call.emit("error", error);
    }
  };
  return handle;
}

async function writeIdentities(folder: string) {
  const now = new Date();
  const authority = await createAuthority("test authority", 1, now);
  const serving = await issueIdentity(
    authority,
    { name: "service", purposes: ["server"], dns: ["localhost"], days: 1 },
    now,
  );
  const calling = await issueIdentity(authority, { name: "caller", purposes: ["client"], days: 1 }, now);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const pair = { private_key: Buffer.from(serving.privateKeyPem), cert_chain: Buffer.from(serving.certificatePem) };
  return {
    ca: write("ca.pem", authority.certificatePem),
    cert: write("caller.pem", calling.certificatePem),
    key: write("caller-key.pem", calling.privateKeyPem),
    credentials: ServerCredentials.createSsl(Buffer.from(authority.certificatePem), [pair], true),
  };
}
