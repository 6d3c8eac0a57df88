import type { Json, RecordDraft, Subject } from "../audit/record.ts";
import type { Decision } from "../changes/mutation.ts";
import { nothingToPublish } from "../changes/outcome.ts";
import { quietPlan } from "../changes/plan.ts";
import type { CanonicalKeyId, MemberId, TeamId } from "../names.ts";

/** What a use case on teams has to tell about a change it decided. */
export interface Recorded extends Pick<RecordDraft, "eventType" | "severity" | "subject" | "about"> {
  readonly before: Json;
  readonly after: Json;
  /** The difference in words. */
  readonly diff: readonly string[];
}

/** The record of a decided change that concerns no repository by itself. */
export function recordOf(recorded: Recorded): RecordDraft {
  const { before, after, diff, ...told } = recorded;
  return {
    ...told,
    stage: "RESULT",
    result: "OK",
    resultReason: "",
    gun: undefined,
    change: { before, after, diff },
    publication: undefined,
  };
}

/** The decision to do nothing because all is as asked; its record is `<subject type>.unchanged.v1`, the method tells the wish. */
export function unchanged(told: {
  readonly subject: Subject;
  readonly about: readonly Subject[];
  readonly state: Json;
  readonly summary: string;
  readonly resource: string;
}): Decision {
  return {
    plan: quietPlan(told.summary),
    changed: false,
    record: recordOf({
      eventType: `${told.subject.type}.unchanged.v1`,
      severity: "INFO",
      subject: told.subject,
      about: told.about,
      before: told.state,
      after: told.state,
      diff: [],
    }),
    commitment: nothingToPublish,
    resource: told.resource,
  };
}

export function teamSubject(team: TeamId): Subject {
  return { type: "team", id: team };
}

export function memberSubject(member: MemberId): Subject {
  return { type: "member", id: member };
}

export function keySubject(key: CanonicalKeyId): Subject {
  return { type: "key", id: key };
}
