import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata, Server, ServerCredentials, type ServiceError, type sendUnaryData, status } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import { Outcome } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { createAuthority, issueIdentity } from "../../src/x509/authority.ts";

/** What one call is answered with: an outcome, or an error as the service sends it. */
export type Line = Partial<Outcome> | { readonly code: status; readonly reason: string; readonly field?: string };

/** A server of InitializeTrust and Delegate over mutual TLS that answers line by line from a script. */
export interface ScriptedService {
  /** The variables by which examples learn where it is and who calls. */
  readonly environment: Readonly<Record<string, string>>;
  /** The request ids of the calls, in order. */
  readonly requestIds: readonly string[];
  stop(): void;
}

/** Starts the server; calls beyond the script are UNIMPLEMENTED. */
export async function startScriptedService(script: readonly Line[]): Promise<ScriptedService> {
  const folder = mkdtempSync(join(tmpdir(), "imagetrust-examples-"));
  const { credentials, files } = await layIdentities(folder);
  const requestIds: string[] = [];
  const lines = [...script];
  const answer = (
    call: { readonly request: { readonly options: { readonly requestId: string } | undefined } },
    done: sendUnaryData<never>,
  ) => {
    requestIds.push(call.request.options?.requestId ?? "");
    const line = lines.shift() ?? { code: status.UNIMPLEMENTED, reason: "SCRIPT_IS_OVER" };
    if ("code" in line && "reason" in line) done(errorOf(line));
    else done(null, { outcome: Outcome.fromPartial(line as Partial<Outcome>) } as never);
  };
  const server = new Server();
  const { initializeTrust } = TrustServiceService;
  const { delegate } = DelegationServiceService;
  server.addService({ initializeTrust } as never, { initializeTrust: answer } as never);
  server.addService({ delegate } as never, { delegate: answer } as never);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return {
    environment: { ...files, IMAGETRUST_ADDRESS: `localhost:${port}` },
    requestIds,
    stop: () => {
      server.forceShutdown();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function layIdentities(folder: string) {
  const now = new Date();
  const authority = await createAuthority("examples", 2, now);
  const server = await issueIdentity(
    authority,
    { name: "server", purposes: ["server"], dns: ["localhost"], days: 1 },
    now,
  );
  const client = await issueIdentity(authority, { name: "admin", purposes: ["client"], days: 1 }, now);
  const files = {
    IMAGETRUST_CA: join(folder, "ca.pem"),
    IMAGETRUST_CERT: join(folder, "client.pem"),
    IMAGETRUST_KEY: join(folder, "client-key.pem"),
  };
  writeFileSync(files.IMAGETRUST_CA, authority.certificatePem);
  writeFileSync(files.IMAGETRUST_CERT, client.certificatePem);
  writeFileSync(files.IMAGETRUST_KEY, client.privateKeyPem, { mode: 0o600 });
  const pair = { cert_chain: Buffer.from(server.certificatePem), private_key: Buffer.from(server.privateKeyPem) };
  return { files, credentials: ServerCredentials.createSsl(Buffer.from(authority.certificatePem), [pair], true) };
}

function errorOf(line: { readonly code: status; readonly reason: string; readonly field?: string }): ServiceError {
  const message = "refused by the script";
  const info = ErrorInfo.encode({ reason: line.reason, domain: "imagetrust", metadata: {} }).finish();
  const details = [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from(info) }];
  if (line.field !== undefined) {
    const fault = { field: line.field, description: "must be better", reason: "", localizedMessage: undefined };
    const value = Buffer.from(BadRequest.encode({ fieldViolations: [fault] }).finish());
    details.push({ typeUrl: "type.googleapis.com/google.rpc.BadRequest", value });
  }
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(Status.encode({ code: line.code, message, details }).finish()));
  return Object.assign(new Error(message), { code: line.code, details: message, metadata });
}
