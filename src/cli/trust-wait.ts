import { promises as timers } from "node:timers";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { type Session, show } from "./session.ts";
import { trustLine } from "./trust-text.ts";

const pauseMs = 500;

/** Waits until a generation, 0 for the newest, is live or the collection is blocked; then, or when time is up, prints it. */
export async function awaitTrust(session: Session, gun: string, generation: bigint): Promise<ExitCode> {
  const ask = (minPublishedGeneration: bigint) =>
    session.api.call(
      TrustServiceService.getTrust,
      { gun, minPublishedGeneration, minTeamRevisions: [] },
      session.deadline,
    );
  let answer = await ask(generation);
  const wanted = generation === 0n ? (answer.trust?.publication?.generation ?? 0n) : generation;
  while (isPending(answer.trust, wanted) && Date.now() + pauseMs < session.deadline) {
    await timers.setTimeout(pauseMs);
    answer = await ask(wanted);
  }
  show(session, answer, ({ trust }) => trustLine(trust));
  return isLive(answer.trust, wanted) ? exitCode.live : exitCode.pending;
}

function isPending(trust: Trust | undefined, wanted: bigint): boolean {
  return !isLive(trust, wanted) && trust?.publication?.state !== PublicationState.BLOCKED;
}

/** A change of a team raises no generation, so the state counts besides. */
function isLive(trust: Trust | undefined, wanted: bigint): boolean {
  const publication = trust?.publication;
  if (publication === undefined || publication.publishedGeneration < wanted) return false;
  return publication.generation > wanted || publication.state !== PublicationState.PENDING;
}
