import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import type { Delegation } from "../../gen/imagetrust/v1/delegation.ts";
import type { Member } from "../../gen/imagetrust/v1/team.ts";
import type { Trust } from "../../gen/imagetrust/v1/trust.ts";

/** The notary CLI's configuration file: what its `-c` takes. */
export interface NotaryConfig {
  readonly trust_dir: string;
  readonly remote_server: { readonly url: string; readonly root_ca?: string };
  /** Without trust on first use, and for each GUN the TUF key id of the root certificate that it must begin with. */
  readonly trust_pinning: { readonly disable_tofu: true; readonly certs: Readonly<Record<string, readonly string[]>> };
}

/** Who signs, and into which roles: one member, or any member of one team. */
export interface Signer {
  readonly who: string;
  readonly roles: readonly string[];
  /** Prefixes of the tag names that the roles may sign; the empty prefix is all. */
  readonly paths: readonly string[];
  /** False while a role is not live on Notary. */
  readonly live: boolean;
}

/** Everything a member needs besides the private key to sign a repository with the notary CLI. */
export interface SignerSetup {
  readonly gun: string;
  readonly config: NotaryConfig;
  /** Where the configuration stands, or is to be put. */
  readonly configFile: string;
  readonly written: boolean;
  /** What `notary key list` shows once the right key is imported; empty where the member was not named. */
  readonly keyIds: readonly string[];
  readonly signers: readonly Signer[];
}

/** The configuration that reaches Notary at `url` and pins the repository's root; other repositories' `pins` are kept. */
export function notaryConfigOf(
  trust: Trust,
  place: { readonly trustDir: string; readonly url: string; readonly ca: string },
  pins: Readonly<Record<string, readonly string[]>>,
): NotaryConfig {
  return {
    trust_dir: place.trustDir,
    remote_server: { url: place.url, ...(place.ca === "" ? {} : { root_ca: place.ca }) },
    trust_pinning: { disable_tofu: true, certs: { ...pins, [trust.gun]: [trust.rootPin] } },
  };
}

/** The delegations that concern the member; all of them where no member is named. */
export function delegationsFor(trust: Trust, member: Member | undefined): readonly Delegation[] {
  return trust.desiredDelegations.filter(({ team }) => member === undefined || member.teams.includes(team));
}

/** One signer for a member with all roles together, else one for each team. */
export function signersOf(delegations: readonly Delegation[], member: Member | undefined): readonly Signer[] {
  if (member !== undefined) return [signerOf(member.id, delegations)];
  return delegations.map((delegation) => signerOf(`a member of ${delegation.team}`, [delegation]));
}

/** The canonical ids of the member's keys that may sign. */
export function keyIdsOf(delegations: readonly Delegation[], member: Member): readonly string[] {
  const own = delegations.flatMap(({ keys }) => keys.filter((key) => key.member === member.id));
  return [...new Set(own.map((key) => key.canonicalKeyId))].sort();
}

function signerOf(who: string, delegations: readonly Delegation[]): Signer {
  const released = delegations.some((delegation) => !delegation.excludeFromReleases);
  return {
    who,
    roles: [...(released ? ["targets/releases"] : []), ...delegations.map(({ team }) => `targets/${team}`)],
    paths: [...new Set(delegations.flatMap(({ paths }) => (paths.length === 0 ? [""] : paths)))],
    live: delegations.every(
      ({ state }) => state === PublicationState.PUBLISHED || state === PublicationState.UNCHANGED,
    ),
  };
}
