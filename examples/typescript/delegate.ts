/**
 * Makes trust for a repository and delegates it to a team:
 *   node examples/typescript/delegate.ts dtr.example.org/dev/nginx qa
 * IMAGETRUST_ADDRESS, IMAGETRUST_CA, IMAGETRUST_CERT and IMAGETRUST_KEY say where the service is and who calls.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import { BlockReason, type ChangeOptions, type Outcome, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceClient } from "../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceClient } from "../../gen/imagetrust/v1/trust.ts";

const [gun = "", team = ""] = process.argv.slice(2);
const address = process.env["IMAGETRUST_ADDRESS"] ?? "localhost:8443";
const channel = credentials.createSsl(pemOf("IMAGETRUST_CA"), pemOf("IMAGETRUST_KEY"), pemOf("IMAGETRUST_CERT"));
const trusts = new TrustServiceClient(address, channel);
const delegations = new DelegationServiceClient(address, channel);
const metadata = new Metadata();

try {
  const initialized = await change((options, answer) => {
    const request = { gun, teams: [], labels: {}, keyBackend: "", notary: "", releasesPaths: [], displayName: "" };
    trusts.initializeTrust({ ...request, options }, metadata, { deadline: inSeconds(15) }, answer);
  });
  const initializedLive = report("InitializeTrust", initialized);
  const delegated = await change((options, answer) => {
    const request = { gun, team, paths: [], excludeFromReleases: false, options };
    delegations.delegate(request, metadata, { deadline: inSeconds(15) }, answer);
  });
  process.exitCode = report("Delegate", delegated) && initializedLive ? 0 : 3;
} catch (error) {
  explain(error as ServiceError);
  process.exitCode = 1;
} finally {
  trusts.close();
  delegations.close();
}

type Answer = (error: ServiceError | null, response: { readonly outcome: Outcome | undefined }) => void;

/**
 * Makes one change under one request_id. UNAVAILABLE means that repeating is safe: a change that was kept is not made again,
 * and the repeat is answered with its state as of now.
 */
async function change(call: (options: ChangeOptions, answer: Answer) => void): Promise<Outcome> {
  const options: ChangeOptions = {
    requestId: randomUUID(),
    validateOnly: false,
    reason: "example",
    etag: "",
    noWait: false,
    acceptOrphaned: false,
    acceptRevived: false,
    planEtag: "",
    acceptWithoutSigner: false,
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        call(options, (error, response) => {
          if (error !== null) reject(error);
          else if (response.outcome === undefined) reject(new Error("the answer holds no outcome"));
          else resolve(response.outcome);
        });
      });
    } catch (error) {
      if ((error as ServiceError).code !== status.UNAVAILABLE || attempt === 5) throw error;
      await pause(200 * 2 ** attempt);
    }
  }
}

/** Says what became of a change, collection by collection; true if it is live. OK without that means accepted and durable. */
function report(what: string, outcome: Outcome): boolean {
  console.log(`${what}: ${nameOf(PublicationState, outcome.state)}`);
  for (const publication of outcome.publications) {
    const roles = publication.roles.map(({ role, version }) => `${role} ${version}`).join(", ");
    const block = publication.blockReason === 0 ? "" : `${nameOf(BlockReason, publication.blockReason)} `;
    console.log(
      `  ${publication.gun}: ${nameOf(PublicationState, publication.state)} ${block}${publication.detail}${roles}`,
    );
  }
  return outcome.state === PublicationState.PUBLISHED || outcome.state === PublicationState.UNCHANGED;
}

/** Prints the reason and every field fault of a refusal; programs decide by the reason, not by the message. */
function explain(error: ServiceError): void {
  console.error(`${status[error.code] ?? "error"}: ${error.details || error.message}`);
  const [trailer] = error.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(trailer)) return;
  for (const { typeUrl, value } of Status.decode(trailer).details) {
    if (typeUrl.endsWith("/google.rpc.ErrorInfo")) console.error(`  reason: ${ErrorInfo.decode(value).reason}`);
    if (!typeUrl.endsWith("/google.rpc.BadRequest")) continue;
    for (const fault of BadRequest.decode(value).fieldViolations)
      console.error(`  ${fault.field}: ${fault.description}`);
  }
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}

function pemOf(variable: string): Buffer {
  return readFileSync(process.env[variable] ?? "");
}

function inSeconds(seconds: number): number {
  return Date.now() + seconds * 1_000;
}
