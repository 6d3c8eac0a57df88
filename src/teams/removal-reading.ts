import type { Call } from "../audit/call.ts";
import type { TeamId } from "../names.ts";
import type { GuardReading } from "./effects.ts";
import type { TeamRoom } from "./room.ts";

/** What Notary showed of the collections of these teams just before keys are taken away. */
export interface RemovalReading {
  readonly teams: ReadonlySet<TeamId>;
  readonly files: GuardReading;
}

const longestMs = 60_000;

/**
 * Reads, outside any transaction, what the guards judge before a removal. It takes at most half of the time the call has left:
 * the other half is the change's, so that a slow Notary ends in a guard's refusal and not in a deadline.
 */
export async function readBeforeRemoval(room: TeamRoom, call: Call, teams: readonly TeamId[]): Promise<RemovalReading> {
  if (teams.length === 0) return { teams: new Set(), files: { unreadable: new Map() } };
  const halfMs = Math.max(0, Math.min(longestMs, (call.deadline - Date.now()) / 2));
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(Math.floor(halfMs))]);
  return { teams: new Set(teams), files: await room.effects.refresh(teams, signal) };
}

/** The same reading for a key that must go in any case: what could not be read is no obstacle, what was read still is judged. */
export function withoutObstacles(reading: RemovalReading): RemovalReading {
  return { ...reading, files: { ...reading.files, unreadable: new Map() } };
}
