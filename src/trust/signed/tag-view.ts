import { type RoleName, releasesRole, targetsRole } from "../../names.ts";

/** Whether clients accept what a role says of a tag; see imagetrust.v1.SignatureState. */
export type SignatureState = "TRUSTED" | "ORPHANED" | "EXPIRED" | "OUTSIDE_PATHS";

/** What the newest valid file of a role is worth today. */
export interface RoleVerdict {
  /** By the keys, the threshold and the delegations of the targets in force. */
  readonly isValid: boolean;
  readonly expires: Date;
  /** Prefixes of the names that the role may sign. */
  readonly paths: readonly string[];
}

/** Judges one tag in a role's newest file as clients do; source: Notary, tuf/tuf.go, WalkTargets. */
export function stateOfSignature(tag: string, verdict: RoleVerdict, now: Date): SignatureState {
  if (!verdict.isValid) return "ORPHANED";
  if (verdict.expires <= now) return "EXPIRED";
  return verdict.paths.some((path) => tag.startsWith(path)) ? "TRUSTED" : "OUTSIDE_PATHS";
}

/** What one role says of a tag. */
export interface StandingSignature {
  readonly role: RoleName;
  readonly state: SignatureState;
  /** `sha256:` and hex. */
  readonly digest: string;
  readonly length: number;
}

export interface TagStanding {
  readonly digest: string;
  readonly length: number;
  readonly released: boolean;
  readonly orphaned: boolean;
  readonly disputed: boolean;
}

/** What a tag is worth in one word; see imagetrust.v1.TagState. */
export type TagState = "RELEASED" | "NOT_RELEASED" | "ORPHANED" | "DISPUTED";

/** The states a tag is in. */
export function statesOfTag({ released, orphaned, disputed }: TagStanding): readonly TagState[] {
  if (orphaned) return ["ORPHANED"];
  return [released ? "RELEASED" : "NOT_RELEASED", ...(disputed ? (["DISPUTED"] as const) : [])];
}

/** Docker asks these roles, in this order; source: docker/cli, cli/trust, and notary's GetTargetByName. */
const pulledFrom: readonly RoleName[] = [releasesRole, targetsRole];

/** What a tag is worth, all its signatures taken together; see imagetrust.v1.SignedTag. */
export function standingOfTag(signatures: readonly StandingSignature[]): TagStanding {
  const trusted = signatures.filter(({ state }) => state === "TRUSTED");
  const [pulled] = pulledFrom.flatMap((role) => trusted.find((signature) => signature.role === role) ?? []);
  const disputed = new Set(trusted.map(({ digest }) => digest)).size > 1;
  const shown = pulled ?? (disputed ? undefined : trusted[0]);
  return {
    digest: shown?.digest ?? "",
    length: shown?.length ?? 0,
    released: pulled !== undefined,
    orphaned: trusted.length === 0,
    disputed,
  };
}
