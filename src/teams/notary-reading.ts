import type { Call } from "../audit/call.ts";
import { withinReadingTime } from "../changes/reading-time.ts";
import type { TeamId } from "../names.ts";
import type { GuardReading, NewKey } from "./effects.ts";
import type { TeamRoom } from "./room.ts";

/** What Notary showed of the collections of these teams just before a change of their keys. */
export interface NotaryReading {
  readonly teams: ReadonlySet<TeamId>;
  readonly files: GuardReading;
}

const nothingRead: GuardReading = { unreadable: new Map(), isComplete: false };

/** Reads, outside any transaction, what the guards judge before keys are taken away; for at most `mostMs` where that is given. */
export async function readBeforeRemoval(
  room: TeamRoom,
  call: Call,
  teams: readonly TeamId[],
  mostMs?: number,
): Promise<NotaryReading> {
  if (teams.length === 0) return { teams: new Set(), files: nothingRead };
  return {
    teams: new Set(teams),
    files: await withinReadingTime(call, (signal) => room.effects.refresh(teams, undefined, signal), mostMs),
  };
}

/** The same before keys are added: only where a key may have signed before can it bring old signatures back. */
export async function readBeforeAddition(
  room: TeamRoom,
  call: Call,
  teams: readonly TeamId[],
  keys: readonly NewKey[],
): Promise<NotaryReading> {
  if (teams.length === 0 || keys.length === 0) return { teams: new Set(teams), files: nothingRead };
  return {
    teams: new Set(teams),
    files: await withinReadingTime(call, (signal) => room.effects.refresh(teams, keys, signal)),
  };
}
