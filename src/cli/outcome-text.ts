import {
  BlockReason,
  type Outcome,
  PendingReason,
  type Plan,
  type Publication,
  PublicationState,
  type RolePlan,
  type Rollout,
  WarningCode,
} from "../../gen/imagetrust/v1/change.ts";
import { nameOf } from "./json.ts";
import { countsText } from "./rollout-text.ts";
import { table } from "./table.ts";
import { coloured, printable, type Terminal } from "./terminal.ts";
import { keyText, pathsText, timeText, versionsText } from "./words.ts";

/** What a change led to, or would lead to, for a person; `publishes` is whether making it always means publishing something. */
export function outcomeText(terminal: Terminal, outcome: Outcome, publishes: boolean): string {
  const { plan } = outcome;
  if (outcome.validatedOnly) {
    const etag = outcome.planEtag === "" ? "" : ` To insist on this plan: --plan-etag ${printable(outcome.planEtag)}`;
    return `${plan === undefined ? "" : planText(terminal, plan)}Nothing was changed.${etag}\n`;
  }
  return [
    plan === undefined || plan.summary === "" ? "" : `${printable(plan.summary)}\n`,
    plan === undefined ? "" : warningsText(terminal, plan),
    publicationsText(outcome.publications),
    outcome.rollout === undefined ? "" : rolloutLine(outcome.rollout),
    closing(terminal, outcome, publishes),
  ].join("");
}

/** Publications, one a row. */
export function publicationsText(publications: readonly Publication[]): string {
  if (publications.length === 0) return "";
  return table(
    ["GUN", "STATE", "GENERATION", "ROLES", "DETAIL"],
    publications.map((publication) => [
      publication.gun,
      nameOf(PublicationState, publication.state),
      `${publication.publishedGeneration}/${publication.generation}`,
      versionsText(publication.roles),
      publicationDetail(publication),
    ]),
  );
}

/** Why a publication is not live, since when, and what the service says about it. */
export function publicationDetail(publication: Publication): string {
  return [
    publication.pendingReason === PendingReason.UNSPECIFIED ? "" : nameOf(PendingReason, publication.pendingReason),
    publication.blockReason === BlockReason.UNSPECIFIED
      ? ""
      : `${nameOf(BlockReason, publication.blockReason)} since ${timeText(publication.blockTime)}`,
    publication.detail,
    publication.nextAttemptTime === undefined ? "" : `next attempt ${timeText(publication.nextAttemptTime)}`,
  ]
    .filter((part) => part !== "")
    .join("; ");
}

function planText(terminal: Terminal, plan: Plan): string {
  const rows = plan.roles.map((role) => [role.gun, role.role, versionChange(role), keyChange(role), pathChange(role)]);
  return [
    plan.summary === "" ? "" : `${printable(plan.summary)}\n`,
    rows.length === 0 ? "" : table(["GUN", "ROLE", "VERSION", "KEYS", "PATHS"], rows),
    plan.truncated ? `... and more: ${plan.collections} collections in all.\n` : "",
    warningsText(terminal, plan),
  ].join("");
}

function versionChange(role: RolePlan): string {
  if (role.roleCreated && role.toVersion === 0) return "new";
  if (role.roleRemoved) return "removed";
  if (role.fromVersion === role.toVersion) return role.fromVersion === 0 ? "-" : String(role.fromVersion);
  return `${role.fromVersion === 0 ? "none" : role.fromVersion} -> ${role.toVersion}`;
}

function keyChange(role: RolePlan): string {
  const added = role.keysAdded.map((key) => `+${keyText(key)}`);
  return [...added, ...role.keysRemoved.map((key) => `-${keyText(key)}`)].join(" ");
}

function pathChange(role: RolePlan): string {
  const signed = (sign: string, paths: readonly string[]) => (paths.length === 0 ? [] : [sign + pathsText(paths)]);
  return [...signed("+", role.pathsAdded), ...signed("-", role.pathsRemoved)].join(" ");
}

function warningsText(terminal: Terminal, plan: Plan): string {
  return plan.warnings
    .map(({ code, message, tags, dueTime }) => {
      const about = tags.length === 0 ? "" : ` Tags: ${tags.join(", ")}.`;
      const due = dueTime === undefined ? "" : ` (${timeText(dueTime)})`;
      const warning = coloured(terminal, "yellow", "warning");
      return `${warning}: ${nameOf(WarningCode, code)}: ${printable(message + about + due)}\n`;
    })
    .join("");
}

function rolloutLine(rollout: Rollout): string {
  const counts = countsText(rollout);
  const collections = `${rollout.total} ${rollout.total === 1 ? "collection" : "collections"}`;
  return `Rollout ${printable(rollout.id)} over ${collections}${counts === "" ? "" : `: ${counts}`}.\n`;
}

function closing(terminal: Terminal, outcome: Outcome, publishes: boolean): string {
  switch (outcome.state) {
    case PublicationState.PUBLISHED:
      return `${coloured(terminal, "green", "PUBLISHED")}: live on Notary.\n`;
    case PublicationState.UNCHANGED:
      return publishes ? "UNCHANGED: nothing to publish.\n" : "Nothing to publish.\n";
    case PublicationState.PENDING:
      return `${coloured(terminal, "yellow", "PENDING")}: accepted and kept, not live yet. ${follow(outcome)}\n`;
    case PublicationState.BLOCKED:
      return `${coloured(terminal, "red", "BLOCKED")}: kept, but a collection needs attention before it can be live.\n`;
    case PublicationState.SUPERSEDED:
      return `${coloured(terminal, "yellow", "SUPERSEDED")}: a later change undid this one before it was live.\n`;
    case PublicationState.REFUSED:
      return `${coloured(terminal, "red", "REFUSED")}: not for every collection; the rollout says why.\n`;
    case PublicationState.CANCELLED:
      return `${coloured(terminal, "yellow", "CANCELLED")}: stopped before it was live.\n`;
    default:
      return "";
  }
}

function follow(outcome: Outcome): string {
  if (outcome.rollout !== undefined) return `Wait for it: imagetrust rollout watch ${printable(outcome.rollout.id)}`;
  const gun = outcome.publications[0]?.gun;
  return gun === undefined ? "" : `Wait for it: imagetrust trust wait ${printable(gun)}`;
}
