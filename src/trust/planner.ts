import type { KeyRef, Plan, PlanWarning, RolePlan } from "../changes/plan.ts";
import { Fault } from "../errors.ts";
import type { Gun, RoleName } from "../names.ts";
import type { SigningCertificate } from "../teams/effects.ts";
import { targetsPayload } from "../tuf/payload.ts";
import { type DesiredCollection, type DesiredRole, desiredRoles, targetsContentOf } from "./desired.ts";

/** One collection before and after a change. `before` undefined: its trust is being initialized. */
export interface CollectionChange {
  readonly before: DesiredCollection | undefined;
  readonly after: DesiredCollection;
  /** The newest published version of the targets file; 0 before the first. */
  readonly targetsVersion: number;
}

/** notary-signer refuses messages over 4 MiB; above this a targets file could not be trusted to pass. */
export const largestTargetsBytes = Math.floor(3.5 * 1024 * 1024);

const warnBeforeMs = 30 * 86_400_000;

/**
 * What publishing the changes would do to each delegation role, and what a person should know first.
 * The question (validate_only) and the act use this one function; published files follow it exactly.
 */
export function planOf(changes: readonly CollectionChange[], total: number, summary: string, now: Date): Plan {
  const roles = changes.flatMap(rolePlansOf);
  return {
    roles,
    warnings: changes.flatMap((change) => warningsOf(change, now)),
    collections: total,
    truncated: total > changes.length,
    summary,
  };
}

/** Role by role what a change of one collection does; roles it leaves as they are do not appear. */
export function rolePlansOf(change: CollectionChange): readonly RolePlan[] {
  const before = new Map(
    change.before === undefined ? [] : desiredRoles(change.before).map((role) => [role.name, role]),
  );
  const after = new Map(desiredRoles(change.after).map((role) => [role.name, role]));
  const names = [...new Set([...after.keys(), ...before.keys()])].sort();
  return names.flatMap((name) => rolePlanOf(change, name, before.get(name), after.get(name)) ?? []);
}

function rolePlanOf(
  change: CollectionChange,
  role: RoleName,
  before: DesiredRole | undefined,
  after: DesiredRole | undefined,
): RolePlan | undefined {
  const plan: RolePlan = {
    gun: change.after.gun,
    role,
    fromVersion: change.targetsVersion,
    toVersion: change.targetsVersion + 1,
    keysAdded: without(after?.keys, before?.keys).map(keyRefOf),
    keysRemoved: without(before?.keys, after?.keys).map(keyRefOf),
    pathsAdded: (after?.paths ?? []).filter((path) => !before?.paths.includes(path)),
    pathsRemoved: (before?.paths ?? []).filter((path) => !after?.paths.includes(path)),
    roleCreated: before === undefined,
    roleRemoved: after === undefined,
  };
  const lists = [plan.keysAdded, plan.keysRemoved, plan.pathsAdded, plan.pathsRemoved];
  return plan.roleCreated || plan.roleRemoved || lists.some((list) => list.length > 0) ? plan : undefined;
}

/** A member's certificate as plans and views name it. */
export function keyRefOf(certificate: SigningCertificate): KeyRef {
  return {
    tufKeyId: certificate.tufKeyId,
    canonicalKeyId: certificate.canonicalKeyId,
    algorithm: certificate.keyType,
    backend: "",
    member: certificate.member,
    certificate: certificate.certificateId,
  };
}

function warningsOf(change: CollectionChange, now: Date): readonly PlanWarning[] {
  const { gun, delegations } = change.after;
  const known = new Set(change.before?.delegations.flatMap((d) => d.certificates.map((c) => c.tufKeyId)));
  return delegations.flatMap((delegation) => {
    const role = `targets/${delegation.team}` as RoleName;
    const earlier = change.before?.delegations.find((other) => other.team === delegation.team);
    const warnings: PlanWarning[] = [];
    if (!delegation.inReleases && earlier === undefined) warnings.push(notInReleases(gun, role));
    if (delegation.certificates.length === 0) warnings.push(withoutSigner(gun, role));
    const ending = delegation.certificates.filter(
      (certificate) =>
        certificate.notAfter.getTime() < now.getTime() + warnBeforeMs &&
        (earlier === undefined || !known.has(certificate.tufKeyId)),
    );
    return [...warnings, ...ending.map((certificate) => expiresSoon(gun, role, certificate))];
  });
}

const quiet = { tags: [], members: [], dueAt: undefined, readAt: undefined };

function notInReleases(gun: Gun, role: RoleName): PlanWarning {
  const message = `Tags signed under ${role} alone are not what docker pulls: the team is excluded from targets/releases.`;
  return { ...quiet, code: "TEAM_NOT_IN_RELEASES", gun, role, message };
}

function withoutSigner(gun: Gun, role: RoleName): PlanWarning {
  const message = `Nobody can sign under ${role}: no member of the team has a certificate.`;
  return { ...quiet, code: "TEAM_WITHOUT_SIGNER", gun, role, message };
}

function expiresSoon(gun: Gun, role: RoleName, certificate: SigningCertificate): PlanWarning {
  const day = certificate.notAfter.toISOString().slice(0, 10);
  const message = `The certificate of ${certificate.member} (key ${certificate.canonicalKeyId.slice(0, 12)}) ends on ${day}.`;
  const { member, notAfter } = certificate;
  return { ...quiet, code: "CERTIFICATE_EXPIRES_SOON", gun, role, message, members: [member], dueAt: notAfter };
}

function without(
  keys: readonly SigningCertificate[] | undefined,
  others: readonly SigningCertificate[] | undefined,
): readonly SigningCertificate[] {
  const ids = new Set(others?.map((key) => key.tufKeyId));
  return (keys ?? []).filter((key) => !ids.has(key.tufKeyId));
}

/** Builds the complete targets file a desired state leads to and refuses it when Notary's signer could not carry it. */
export function requireFits(desired: DesiredCollection): void {
  const far = new Date(Date.UTC(2100, 0, 1));
  const bytes = targetsPayload(targetsContentOf(desiredRoles(desired), 2 ** 31 - 2, far)).length;
  if (bytes <= largestTargetsBytes) return;
  throw new Fault(
    "TOO_LARGE",
    `The targets file of ${desired.gun} would be ${bytes} bytes; at most ${largestTargetsBytes} can be signed. Delegate to fewer teams or keys.`,
    { metadata: { gun: desired.gun, bytes: String(bytes), limit: String(largestTargetsBytes) } },
  );
}

/** One difference in words a person understands, for records and previews. */
export function describe(plan: RolePlan): readonly string[] {
  const where = `${plan.role} of ${plan.gun}`;
  const who = (key: KeyRef): string => `${key.member || "key"} (${key.canonicalKeyId.slice(0, 12)})`;
  const path = (text: string): string => (text === "" ? "every tag" : `tags beginning with "${text}"`);
  return [
    ...(plan.roleCreated ? [`${where} is created`] : []),
    ...(plan.roleRemoved ? [`${where} is removed`] : []),
    ...plan.keysAdded.map((key) => `${who(key)} may sign ${where}`),
    ...plan.keysRemoved.map((key) => `${who(key)} may no longer sign ${where}`),
    ...plan.pathsAdded.map((text) => `${where} covers ${path(text)}`),
    ...plan.pathsRemoved.map((text) => `${where} no longer covers ${path(text)}`),
  ];
}
