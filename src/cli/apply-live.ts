import { promises as timers } from "node:timers";
import { type Outcome, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { CollectionState, type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { inParallel } from "./in-parallel.ts";
import type { Session } from "./session.ts";

/** What is decided and not live, in a person's words; empty when all is live. */
export type Unlive = readonly string[];

const atOnce = 4;
const pauseMs = 500;

/**
 * Waits until what a file wishes for is live: the repositories that were not in sync when they were read, and whatever the steps set off.
 * It ends when all is live or needs somebody, or at `deadline` (Unix milliseconds).
 */
export async function awaitLive(
  session: Session,
  trusts: Iterable<Trust>,
  outcomes: readonly (Outcome | undefined)[],
  deadline: number,
): Promise<Unlive> {
  const still: readonly CollectionState[] = [CollectionState.IN_SYNC, CollectionState.OBSERVED];
  const behind = [...trusts].filter(({ state }) => !still.includes(state)).map(({ gun }) => gun);
  const published = outcomes.flatMap((outcome) => outcome?.publications.map(({ gun }) => gun) ?? []);
  const rollouts = outcomes.flatMap((outcome) => (outcome?.rollout === undefined ? [] : [outcome.rollout.id]));
  const waits = [
    ...rollouts.map((id) => () => rolloutUnlive(session, id, deadline)),
    ...[...new Set([...behind, ...published])].map((gun) => () => trustUnlive(session, gun, deadline)),
  ];
  return (await inParallel(waits, atOnce, (wait) => wait())).filter((unlive) => unlive !== "");
}

async function trustUnlive(session: Session, gun: string, deadline: number): Promise<string> {
  const request = { gun, minPublishedGeneration: 0n, minTeamRevisions: [] };
  return await askUntilSettled(deadline, async () => {
    const { trust } = await session.api.call(TrustServiceService.getTrust, request, callDeadline(session));
    if (trust === undefined || trust.state === CollectionState.IN_SYNC) return { done: true, unlive: "" };
    const pending = trust.state === CollectionState.PENDING || trust.state === CollectionState.INITIALIZING;
    const detail = trust.publication?.detail ?? "";
    return {
      done: !pending,
      unlive: `${gun} is ${pending ? "pending" : "not in sync"}${detail === "" ? "" : `: ${detail}`}`,
    };
  });
}

async function rolloutUnlive(session: Session, id: string, deadline: number): Promise<string> {
  const states = [PublicationState.BLOCKED, PublicationState.REFUSED];
  return await askUntilSettled(deadline, async () => {
    const request = { id, pageSize: 1, pageToken: "", states };
    const { rollout } = await session.api.call(DelegationServiceService.getRollout, request, callDeadline(session));
    if (rollout === undefined) return { done: true, unlive: "" };
    const { pending, blocked, refused } = rollout;
    const isLive = pending + blocked + refused === 0;
    const unlive = isLive
      ? ""
      : `rollout ${id} has ${pending} pending, ${blocked} blocked (imagetrust rollout watch ${id})`;
    return { done: pending === 0, unlive };
  });
}

async function askUntilSettled(
  deadline: number,
  ask: () => Promise<{ readonly done: boolean; readonly unlive: string }>,
): Promise<string> {
  for (;;) {
    const { done, unlive } = await ask();
    if (done || Date.now() + pauseMs >= deadline) return unlive;
    await timers.setTimeout(pauseMs);
  }
}

function callDeadline({ settings }: Session): number {
  return Date.now() + settings.timeout * 1_000;
}
