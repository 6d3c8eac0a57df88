import { metrics } from "@opentelemetry/api";
import type { Database, Queryable } from "../../database.ts";

/** What operators see of batches. */
export interface BatchMetrics {
  /** What became of a repository when its turn came. */
  decided(result: "decided" | "unchanged" | "refused" | "postponed"): void;
  /** Counts the repositories of unfinished batches, for the gauge; seldom enough by itself. */
  refresh(database: Database): Promise<void>;
}

const refreshEveryMs = 15_000;

/** Makes the instruments; the process's meter provider must be registered before. */
export function createBatchMetrics(): BatchMetrics {
  const meter = metrics.getMeter("imagetrust");
  const decisions = meter.createCounter("batch_decisions_total", {
    description: "Repositories of batches whose turn came, by what became of them.",
  });
  const items = meter.createObservableGauge("batch_repositories", {
    description: "Repositories of unfinished batches, by how far they have come.",
  });
  let counted: BatchCounts | undefined;
  let refreshedAt = Number.NEGATIVE_INFINITY;
  items.addCallback((result) => {
    for (const [state, count] of Object.entries(counted ?? {})) result.observe(count, { state });
  });
  return {
    decided: (result) => decisions.add(1, { result }),
    refresh: async (database) => {
      if (performance.now() - refreshedAt < refreshEveryMs) return;
      refreshedAt = performance.now();
      counted = await countBatchItems(database);
    },
  };
}

/** The repositories of unfinished batches: not begun, waiting to be tried again, decided and on their way, blocked, refused. */
export interface BatchCounts {
  readonly waiting: number;
  readonly postponed: number;
  readonly under_way: number;
  readonly blocked: number;
  readonly refused: number;
}

export async function countBatchItems(db: Queryable): Promise<BatchCounts> {
  const begun = "i.result is null and i.generation is not null";
  const open = "i.result is null and i.generation is null";
  const row = await db.row<Record<keyof BatchCounts, bigint>>(
    `select count(*) filter (where ${open} and i.next_attempt_at <= clock_timestamp()) as waiting,
       count(*) filter (where ${open} and i.next_attempt_at > clock_timestamp()) as postponed,
       count(*) filter (where ${begun} and c.block_reason is null) as under_way,
       count(*) filter (where ${begun} and c.block_reason is not null) as blocked,
       count(*) filter (where i.result = 'REFUSED') as refused
     from rollouts r join rollout_items i on i.rollout_id = r.id join collections c on c.id = i.collection_id
     where r.finished_at is null and r.kind = 'BATCH'`,
  );
  const count = (name: keyof BatchCounts): number => Number(row?.[name] ?? 0n);
  return {
    waiting: count("waiting"),
    postponed: count("postponed"),
    under_way: count("under_way"),
    blocked: count("blocked"),
    refused: count("refused"),
  };
}
