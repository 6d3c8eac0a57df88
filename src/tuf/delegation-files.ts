import type { RoleName } from "../names.ts";
import { type Envelope, isSignedBy, parseTargets } from "./envelope.ts";
import { tufKeyIdOf } from "./key.ts";
import { type DelegationVerdict, isFastForward, type Pins } from "./observation.ts";
import { viewOf } from "./orphans.ts";
import type { TargetsContent } from "./payload.ts";
import { readable, type Trusted } from "./trusted.ts";

/** Judges the newest file of a delegation. It never blocks the collection: a member could otherwise stop their own removal. */
export function judgeDelegation(
  pins: Pins,
  trusted: Trusted,
  role: RoleName,
  bytes: Buffer | undefined,
  now: Date,
): DelegationVerdict {
  const highest = pins.highest.get(role);
  if (bytes === undefined) {
    if (highest === undefined) return { state: "NEVER_SIGNED", detail: "", file: undefined };
    return { state: "SUSPECT", detail: `Version ${highest} was there before and is gone.`, file: undefined };
  }
  const envelope = readable(() => parseTargets(bytes));
  if (envelope === undefined) {
    return { state: "SUSPECT", detail: "The file cannot be read as metadata.", file: undefined };
  }
  return { ...judgeFile(pins, trusted, role, envelope, now), file: viewOf(envelope) };
}

type Judgement = Omit<DelegationVerdict, "file">;

function judgeFile(
  pins: Pins,
  trusted: Trusted,
  role: RoleName,
  envelope: Envelope<TargetsContent>,
  now: Date,
): Judgement {
  const { version, expires } = envelope.content;
  const highest = pins.highest.get(role);
  const delegated = trusted.targets.roles.find(({ name }) => name === role);
  const valid = delegated !== undefined && isSignedBy(envelope, trusted.targets.keys, delegated);
  if (!valid) return judgeInvalid(pins, trusted, role, envelope);
  if (highest !== undefined && version < highest) {
    return { state: "SUSPECT", detail: `Version ${version} is shown as the newest; ${highest} was there before.` };
  }
  if (isFastForward(version, highest)) {
    return {
      state: "VALID",
      detail: `The version jumped from ${highest ?? 0} to ${version}; near 2147483647 no other member can publish.`,
    };
  }
  if (expires < now) {
    return {
      state: "VALID",
      detail: `Expired at ${expires.toISOString()}; clients ignore it until a member signs again.`,
    };
  }
  return { state: "VALID", detail: "" };
}

/** Orphaned is what former keys of the role explain; without a list of them, what was verified once before. */
function judgeInvalid(pins: Pins, trusted: Trusted, role: RoleName, envelope: Envelope<TargetsContent>): Judgement {
  const former = pins.formerKeys?.get(role);
  const keys = [...trusted.targets.keys, ...(former ?? [])];
  const delegated = trusted.targets.roles.find(({ name }) => name === role);
  const keyIds = [...(delegated?.keyIds ?? []), ...(former ?? []).map(tufKeyIdOf)];
  const wasValid =
    former === undefined
      ? envelope.content.version <= (pins.highest.get(role) ?? 0)
      : isSignedBy(envelope, keys, { keyIds, threshold: delegated?.threshold ?? 1 });
  if (wasValid) return { state: "ORPHANED", detail: "Signed by keys that the delegation no longer has." };
  return { state: "SUSPECT", detail: "Not validly signed by keys that the delegation has or had." };
}
