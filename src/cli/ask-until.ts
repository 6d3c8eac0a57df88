import { promises as timers } from "node:timers";
import type { Session } from "./session.ts";

const pauseMs = 500;

/** Asks again and again until an answer is settled or --timeout is over, and gives the last answer. */
export async function askUntil<Answer>(
  session: Session,
  ask: () => Promise<Answer>,
  isSettled: (answer: Answer) => boolean,
): Promise<Answer> {
  let answer = await ask();
  while (!isSettled(answer) && Date.now() + pauseMs < session.deadline) {
    await timers.setTimeout(pauseMs);
    answer = await ask();
  }
  return answer;
}
