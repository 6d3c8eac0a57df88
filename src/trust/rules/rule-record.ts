import type { Json, RecordDraft } from "../../audit/record.ts";
import type { TeamId } from "../../names.ts";
import type { RulePrefix } from "./rule-prefix.ts";

/** What a rule says, as records show it. */
interface RecordedRule {
  readonly gunPrefix: RulePrefix;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
}

/** The record of a decision on a rule. */
export function ruleRecord(
  eventType: string,
  { gunPrefix, team, paths, excludeFromReleases }: RecordedRule,
  more: Readonly<Record<string, Json>>,
  diff: readonly string[],
): RecordDraft {
  return {
    eventType,
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "team", id: team },
    about: [],
    result: "OK",
    resultReason: "",
    gun: undefined,
    change: {
      before: null,
      after: { gun_prefix: gunPrefix, team, paths, in_releases: !excludeFromReleases, ...more },
      diff,
    },
    publication: undefined,
  };
}
