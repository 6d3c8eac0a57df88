import type { PlanWarning } from "../../changes/plan.ts";
import type { MemberId, RoleName } from "../../names.ts";
import { desiredRoles } from "../desired.ts";
import type { AffectedTags, GuardedEffect } from "./guard-effect.ts";

/** Plans name only the first of their collections. */
const mostWarnings = 50;

/**
 * What changes that are let through do to published signatures: the tags they orphan and revive, those that a key which goes has put
 * there and that stay valid, and the collections of which the newest is not known.
 */
export function guardWarnings(effects: readonly GuardedEffect[]): readonly PlanWarning[] {
  const warnings: PlanWarning[] = [];
  for (const effect of effects) {
    if (warnings.length >= mostWarnings) break;
    warnings.push(...warningsOf(effect));
  }
  return warnings.slice(0, mostWarnings);
}

function warningsOf(effect: GuardedEffect): readonly PlanWarning[] {
  const { gun } = effect.change.after;
  const { unreadable, readAt } = effect.newest;
  const known = { gun, dueAt: undefined, readAt };
  const about = (code: PlanWarning["code"], words: string) => {
    return ({ role, tags }: AffectedTags): PlanWarning => {
      const members = signersOf(effect, role);
      const message = `Tags of ${role} of ${gun} ${words}; ${actingWords(members)}.`;
      return { ...known, code, role, tags, members, message };
    };
  };
  const unknown: PlanWarning = {
    ...known,
    code: "SIGNATURES_UNKNOWN",
    role: "",
    tags: [],
    members: [],
    message: unknownWords(gun, unreadable ?? "", readAt),
  };
  return [
    ...effect.orphaned.map(about("SIGNATURES_ORPHANED", "lose their only valid signature")),
    ...effect.revived.map(about("SIGNATURES_REVIVED", "become valid again by old signatures")),
    ...effect.outliving.map(
      about("SIGNATURES_TO_REVIEW", "that a key which goes has signed stay valid by a remaining signature"),
    ),
    ...(effect.isBlind ? [unknown] : []),
  ];
}

function unknownWords(gun: string, why: string, readAt: Date | undefined): string {
  const known =
    readAt === undefined ? "nothing of it was read before" : `what is named of it is as of ${readAt.toISOString()}`;
  return `It is not known which signatures of ${gun} this orphans, because Notary could not be read (${why}); ${known}.`;
}

/** The members who can sign a role once the change is live, ascending. */
function signersOf({ change }: GuardedEffect, role: RoleName): readonly MemberId[] {
  const keys = desiredRoles(change.after).find((one) => one.name === role)?.keys ?? [];
  return [...new Set(keys.map((key) => key.member))].sort();
}

function actingWords(members: readonly MemberId[]): string {
  if (members.length === 0) return "nobody is left who can sign it";
  const named = members.slice(0, 10).join(", ");
  return `${named}${members.length > 10 ? ` and ${members.length - 10} more` : ""} can sign it anew`;
}
