import { setTimeout as sleep } from "node:timers/promises";
import { trace } from "@opentelemetry/api";
import { type Call, serviceCall } from "../../audit/call.ts";
import type { Commitment } from "../../changes/outcome.ts";
import { withinReadingTime } from "../../changes/reading-time.ts";
import { Fault } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { ChangeSignals } from "../change-signals.ts";
import { type Delegate, decideDelegation, decideUndelegation, type Undelegate } from "../delegate.ts";
import type { TrustRoom } from "../room.ts";
import type { BatchMetrics } from "./batch-metrics.ts";
import {
  type BatchItem,
  beginBatchItem,
  hasUnfinishedBatch,
  holdBatch,
  nextBatchItems,
  type OpenBatch,
  openBatches,
  postponeBatchItem,
  refuseBatchItem,
  releaseBatches,
  settleBatches,
} from "./batch-store.ts";
import { findRollout } from "./rollout-store.ts";

/** Decides what batches have accepted, one repository after the other, for as long as it runs. */
export interface BatchRunner {
  start(): void;
  /** Says that a batch may have something to decide. A hint: it is found in the database as well. */
  wake(): void;
  /** Lets the decision under way be made, then gives its batches back. */
  stop(): Promise<void>;
}

export interface BatchRunnerParts {
  readonly trust: TrustRoom;
  readonly signals: ChangeSignals;
  /** Tells the publisher what was decided; a hint. */
  readonly publish: (commitment: Commitment) => void;
  readonly log: Logger;
  readonly metrics: BatchMetrics;
  /** This process, for its hold on batches. */
  readonly owner: string;
  /** How many collections a publisher works on at once. */
  readonly concurrency: number;
  readonly leaseMs: number;
}

const pollMs = 500;
const betweenTurnsMs = 20;
const afterFaultMs = 1_000;
const readingMs = 10_000;
/** What could not be decided for a reason that passes is tried again after this long. */
const postponeMs = 5_000;
/** Decided and on its way, per place of a publisher: enough to keep it busy, few enough that others' changes hardly wait. */
const aheadOfPublisher = 4;

/**
 * Any number of replicas may run it: an item is decided in one transaction that finds it open, so a second one finds it done, and a
 * process that dies leaves nothing half done.
 */
export function createBatchRunner(parts: BatchRunnerParts): BatchRunner {
  const { database, now, admit } = parts.trust.changing;
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let woken = Promise.withResolvers<void>();

  /** Settles what has landed and decides as much as the batches leave room for; says whether to look again at once, soon, or later. */
  const turn = async (): Promise<"AT_ONCE" | "SOON" | "LATER"> => {
    await parts.metrics.refresh(database);
    if (!(await hasUnfinishedBatch(database))) return "LATER";
    for (const id of await settleBatches(database, now())) await logFinished(parts, id);
    let decided = false;
    for (const batch of await openBatches(database)) {
      if (!(await holdBatch(database, batch.rolloutId, parts.owner, parts.leaseMs))) continue;
      for (const item of await nextBatchItems(database, batch.rolloutId, parts.concurrency * aheadOfPublisher)) {
        if (stopping.signal.aborted) return "LATER";
        admit();
        await decideItem(parts, batch, item, stopping.signal);
        decided = true;
      }
    }
    return decided ? "AT_ONCE" : "SOON";
  };
  /** Until it is woken or for a while; soon, also until something happens to any collection, which may have made room. */
  const rest = async (soon: boolean): Promise<void> => {
    const over = new AbortController();
    const signal = AbortSignal.any([stopping.signal, over.signal]);
    const pause = soon
      ? parts.signals.anyChanged(pollMs, signal)
      : sleep(pollMs, undefined, { signal }).catch(() => undefined);
    await Promise.race([woken.promise, pause]);
    over.abort();
    if (soon) await sleep(betweenTurnsMs);
  };
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      woken = Promise.withResolvers<void>();
      try {
        const next = await turn();
        if (next !== "AT_ONCE") await rest(next === "SOON");
      } catch (error) {
        if (stopping.signal.aborted) return;
        parts.log.warn({ err: error }, "a turn at the batches failed");
        await sleep(afterFaultMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  };
  return {
    start: () => {
      running = loop();
    },
    wake: () => woken.resolve(),
    stop: async () => {
      stopping.abort();
      await running;
      await releaseBatches(database, parts.owner).catch(() => undefined);
    },
  };
}

/** Decides one repository of a batch as Delegate or Undelegate would, and notes what became of it. */
async function decideItem(
  { trust, publish, log, metrics }: BatchRunnerParts,
  batch: OpenBatch,
  item: BatchItem,
  signal: AbortSignal,
): Promise<void> {
  const { database, append, now } = trust.changing;
  const { rolloutId } = batch;
  const request = requestOf(batch, item);
  const call = callOf(batch, signal);
  try {
    const { guards } = trust;
    const read = (until: AbortSignal) =>
      batch.ends ? guards.beforeRemoving(item.gun, until) : guards.beforeDelegating(item.gun, batch.team, until);
    const newest = await withinReadingTime(call, read, readingMs);
    const commitment = await database.transaction(async (tx) => {
      const at = now();
      const decide = batch.ends ? decideUndelegation : decideDelegation;
      const decision = await decide(tx, trust, call, request, newest, at);
      const generation = decision.commitment.collection?.generation;
      if (!(await beginBatchItem(tx, rolloutId, item.collectionId, generation, at))) throw new Overtaken("overtaken");
      if (decision.changed) await append(tx, call, decision.record, at);
      return decision.commitment;
    });
    metrics.decided(commitment.collection === undefined ? "unchanged" : "decided");
    publish(commitment);
  } catch (error) {
    if (error instanceof Overtaken || signal.aborted) return;
    const told = { gun: item.gun, rollout: rolloutId };
    const fault = error instanceof Fault && error.kind !== "INTERNAL" ? error : unexpected;
    if (fault === unexpected) log.error({ ...told, err: error }, "a repository of a batch could not be decided");
    else log.info({ ...told, reason: fault.reason }, "a repository of a batch was not decided");
    const lasts = isLasting(fault);
    metrics.decided(lasts ? "refused" : "postponed");
    if (lasts) await refuseItem(trust, call, batch, item, fault);
    else await postponeBatchItem(database, rolloutId, item.collectionId, detailOf(fault), postponeMs);
  }
}

/** Settles an item that would be refused again, with the record that the refusal of a single Delegate has. */
async function refuseItem(
  { changing }: TrustRoom,
  call: Call,
  { rolloutId, team }: OpenBatch,
  { collectionId, gun }: BatchItem,
  fault: Fault,
): Promise<void> {
  const now = changing.now();
  await changing.database.transaction(async (tx) => {
    if (!(await refuseBatchItem(tx, rolloutId, collectionId, detailOf(fault), now))) return;
    const record = {
      eventType: "delegation.refused.v1",
      stage: "DENIED",
      severity: "NOTICE",
      subject: { type: "gun", id: gun },
      about: [{ type: "team", id: team }],
      result: fault.kind,
      resultReason: fault.reason,
      gun,
      change: undefined,
      publication: undefined,
    } as const;
    await changing.append(tx, call, record, now);
  });
}

/** What is no refusal, a fault of the service, holds up one repository and no other; it is tried again. */
const unexpected = new Fault("INTERNAL", "An internal error occurred; the server's log tells more. It is tried again.");

function detailOf({ reason, message }: Fault): string {
  return `${reason}: ${message}`;
}

/** Says once, in whichever process saw the end, what became of a batch. */
async function logFinished({ trust, log }: BatchRunnerParts, id: string): Promise<void> {
  const rollout = await findRollout(trust.changing.database, id);
  if (rollout === undefined) return;
  const { total, published, unchanged, superseded, cancelled, refused, createdAt } = rollout;
  const seconds = Math.round((trust.changing.now().getTime() - createdAt.getTime()) / 1_000);
  const told = { rollout: id, total, published, unchanged, superseded, cancelled, refused, seconds };
  if (refused > 0) log.warn(told, "a batch finished, and was refused for some repositories");
  else log.info(told, "a batch finished");
}

/** Somebody else decided the item, or took it out of the batch: what was about to be decided is rolled back. */
class Overtaken extends Error {}

/** Whether a refusal will be the same when it is asked again; a Notary that cannot be read comes back. */
function isLasting({ kind, reason }: Fault): boolean {
  if (reason === "GUARD_UNAVAILABLE") return false;
  return kind === "INVALID_ARGUMENT" || kind === "NOT_FOUND" || kind === "FAILED_PRECONDITION";
}

/** What Delegate or Undelegate would be asked for one repository of the batch. */
function requestOf(batch: OpenBatch, { gun }: BatchItem): Delegate & Undelegate {
  const { team, paths, inReleases, acceptOrphaned, acceptRevived, reason, ruleId } = batch;
  return {
    gun,
    team,
    ruleId: ruleId ?? undefined,
    paths,
    excludeFromReleases: !inReleases,
    options: {
      requestId: "",
      validateOnly: false,
      reason,
      etag: "",
      noWait: true,
      acceptOrphaned,
      acceptRevived,
      acceptWithoutSigner: false,
      planEtag: "",
    },
  };
}

/** The call under which one repository of a batch is decided: the service's own, for the rollout and whoever made it. */
function callOf({ rolloutId, actor, reason }: OpenBatch, signal: AbortSignal): Call {
  const context = trace.getActiveSpan()?.spanContext();
  const traced = { traceId: context?.traceId ?? "", spanId: context?.spanId ?? "" };
  const why = `rollout ${rolloutId} of ${actor}${reason === "" ? "" : `: ${reason}`}`;
  return { ...serviceCall("batches", "decide", traced, signal), reason: why };
}
