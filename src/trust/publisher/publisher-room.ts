import { trace } from "@opentelemetry/api";
import type { Call } from "../../audit/call.ts";
import { serviceCall } from "../../audit/call.ts";
import type { AppendRecord } from "../../changes/mutation.ts";
import type { Database } from "../../database.ts";
import type { Logger } from "../../logger.ts";
import type { NotaryServers } from "../../notary/directory.ts";
import type { KeyBackend } from "../../signing/backend.ts";
import type { ChangeSignals } from "../change-signals.ts";
import type { PublisherMetrics } from "./publisher-metrics.ts";

/** The numbered steps of a publication, as publisher.md names them; what was written when each is reached is durable. */
export type Step = "looked" | "prepared" | "signed" | "armed" | "sent" | "observed" | "closed";

/** What the publisher needs from the house. */
export interface PublisherRoom {
  readonly database: Database;
  readonly append: AppendRecord;
  readonly notaries: NotaryServers;
  readonly backends: ReadonlyMap<string, KeyBackend>;
  readonly signals: ChangeSignals;
  readonly log: Logger;
  readonly now: () => Date;
  /** This process, for claims and leases: a UUID of its own. */
  readonly owner: string;
  readonly settings: PublisherSettings;
  readonly metrics: PublisherMetrics;
  /** Told when a step's effect is durable; a place for tests to stop the process. */
  readonly atStep: (step: Step, collectionId: bigint) => Promise<void> | void;
}

export interface PublisherSettings {
  /** How long new files live, in ms; each is renewed when a third of its life is left. */
  readonly rootLifeMs: number;
  readonly targetsLifeMs: number;
  /** Collections worked on at once. */
  readonly concurrency: number;
  /** How long a claim on an upload holds without a sign of life. */
  readonly claimMs: number;
  /** How long the lease on a Notary server holds; it is renewed three times as often. */
  readonly leaseMs: number;
  /** Refusals must span at least this long before an upload is REJECTED. */
  readonly rejectAfterMs: number;
  /** A collection is walked from timestamp.json at least this often. */
  readonly patrolMs: number;
  /** How often each Notary server is asked whether it was restarted. */
  readonly restartCheckMs: number;
  /** Back-off begins here and doubles to `longestBackOffMs`. */
  readonly firstBackOffMs: number;
  readonly longestBackOffMs: number;
}

/** The call under which the publisher's own records are written, in the trace of the turn that writes them. */
export function publisherCall(step: string, signal: AbortSignal): Call {
  const context = trace.getActiveSpan()?.spanContext();
  return serviceCall("publisher", step, { traceId: context?.traceId ?? "", spanId: context?.spanId ?? "" }, signal);
}
