import { metrics } from "@opentelemetry/api";
import type { Database } from "../../database.ts";

/** What operators see of the publisher. */
export interface PublisherMetrics {
  /** An upload came to its end, or a decision needed none. */
  ended(outcome: "landed" | "lost" | "rejected" | "no_change"): void;
  /** From the preparation of an upload to its landing; seconds. */
  took(seconds: number): void;
  /** What Notary answered that decided nothing. */
  undecided(answer: string): void;
  /** Counts the collections that wait or are blocked, for the gauges. */
  refresh(database: Database): Promise<void>;
}

/** Makes the instruments; the process's meter provider must be registered before. */
export function createPublisherMetrics(): PublisherMetrics {
  const meter = metrics.getMeter("imagetrust");
  const uploads = meter.createCounter("publisher_publications_total", {
    description: "Publications by how they ended: landed, lost, rejected, or no_change where nothing had to be sent.",
  });
  const durations = meter.createHistogram("publisher_publication_duration_seconds", {
    description: "From the preparation of an upload to its landing, read-back included.",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300] },
  });
  const answers = meter.createCounter("publisher_undecided_answers_total", {
    description: "Answers of Notary that decided nothing, by kind; the same bytes are sent again.",
  });
  const collections = meter.createObservableGauge("publisher_collections", {
    description: "Collections that wait for a publication, or are blocked, by reason.",
  });
  let counted: readonly { readonly state: string; readonly reason: string; readonly count: number }[] = [];
  collections.addCallback((result) => {
    for (const { state, reason, count } of counted) result.observe(count, { state, reason });
  });
  return {
    ended: (outcome) => uploads.add(1, { outcome }),
    took: (seconds) => durations.record(seconds),
    undecided: (answer) => answers.add(1, { answer }),
    refresh: async (database) => {
      const rows = await database.rows<{ state: string; reason: string; count: bigint }>(
        `select case when block_reason is null then 'pending' else 'blocked' end as state,
           coalesce(block_reason, pending_reason, 'QUEUED') as reason, count(*) as count
         from collections where deleted_at is null and (block_reason is not null or generation > published_generation or id in (
           select d.collection_id from teams t join delegations d on d.team_id = t.id
           where t.revision > t.settled_revision and d.valid_to is null and d.published_revision < t.revision))
         group by 1, 2`,
      );
      const now = rows.map((row) => ({ ...row, count: Number(row.count) }));
      const gone = counted.filter((was) => !now.some((one) => one.state === was.state && one.reason === was.reason));
      counted = [...now, ...gone.map((one) => ({ ...one, count: 0 }))];
    },
  };
}
