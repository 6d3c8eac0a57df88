import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { CollectionState, type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { askUntil } from "./ask-until.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { type Session, show } from "./session.ts";
import { trustLine } from "./trust-text.ts";

/**
 * Waits until all that is decided of a collection, its teams' changes included, or one generation of it is live, or until the
 * collection is one that nothing is published to, such as a blocked one; then, or when time is up, prints it.
 */
export async function awaitTrust(session: Session, gun: string, generation: bigint | undefined): Promise<ExitCode> {
  let wanted = generation ?? 0n;
  const answer = await askUntil(
    session,
    async () => {
      const request = { gun, minPublishedGeneration: wanted, minTeamRevisions: [] };
      const response = await session.api.call(TrustServiceService.getTrust, request, session.deadline);
      if (generation === undefined) wanted = response.trust?.publication?.generation ?? 0n;
      return response;
    },
    ({ trust }) => !isPublishedTo(trust) || isLive(trust, generation),
  );
  show(session, answer, ({ trust }) => trustLine(trust));
  return isLive(answer.trust, generation) ? exitCode.live : exitCode.pending;
}

const publishedTo: readonly CollectionState[] = [
  CollectionState.INITIALIZING,
  CollectionState.PENDING,
  CollectionState.IN_SYNC,
];

function isPublishedTo(trust: Trust | undefined): boolean {
  return trust !== undefined && publishedTo.includes(trust.state);
}

/** A change of a team raises no generation, so the collection's state counts where no generation was named. */
function isLive(trust: Trust | undefined, generation: bigint | undefined): boolean {
  const publication = trust?.publication;
  if (publication === undefined || !isPublishedTo(trust)) return false;
  if (generation !== undefined) return publication.publishedGeneration >= generation;
  return trust?.state === CollectionState.IN_SYNC && publication.state !== PublicationState.PENDING;
}
