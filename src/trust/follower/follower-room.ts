import { type Call, serviceCall } from "../../audit/call.ts";
import type { AppendRecord } from "../../changes/mutation.ts";
import type { Database } from "../../database.ts";
import type { Logger } from "../../logger.ts";
import type { NotaryServers } from "../../notary/directory.ts";
import type { FollowerMetrics } from "./follower-metrics.ts";

/** What the follower needs from the house. */
export interface FollowerRoom {
  readonly database: Database;
  readonly append: AppendRecord;
  readonly notaries: NotaryServers;
  /** Whether this process holds the lease on a server: a hint, by which one follower at a time asks it. */
  readonly leads: (notary: string) => boolean;
  /** Records were committed. */
  readonly recorded: () => void;
  readonly log: Logger;
  readonly now: () => Date;
  readonly settings: FollowerSettings;
  readonly metrics: FollowerMetrics;
}

export interface FollowerSettings {
  /** How often a changefeed is asked for news. */
  readonly pollMs: number;
  /** How long a missing id of a changefeed is waited for. */
  readonly gapMs: number;
  /** How often collections are looked for of which patrol has seen more than the feed told. */
  readonly sweepMs: number;
  /** At most so many rows of a changefeed are asked for at once. */
  readonly pageSize: number;
}

export const standardFollowing: FollowerSettings = { pollMs: 500, gapMs: 10_000, sweepMs: 60_000, pageSize: 1_000 };

/** The call under which the follower's own records are written. */
export function followerCall(signal: AbortSignal): Call {
  return serviceCall("follower", "follow", { traceId: "", spanId: "" }, signal);
}
