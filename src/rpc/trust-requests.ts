import type { TeamRevision as WireRevision } from "../../gen/imagetrust/v1/change.ts";
import {
  CollectionState,
  type DeleteTrustRequest,
  type GetTrustRequest,
  type InitializeTrustRequest,
  type ListTrustsRequest,
  type TeamGrant as WireGrant,
} from "../../gen/imagetrust/v1/trust.ts";
import type { PageRequest } from "../changes/page-token.ts";
import type { TeamRevision } from "../changes/plan.ts";
import { type Gun, type Parsed, parseGun, parseGunPrefix, parseTeamId } from "../names.ts";
import { parseDisplayName } from "../teams/display-name.ts";
import { parseLabels } from "../teams/labels.ts";
import type { CollectionFilter } from "../trust/collection-store.ts";
import type { DeleteTrust } from "../trust/delete-trust.ts";
import type { InitializeTrust, TeamGrant } from "../trust/initialize.ts";
import { parsePaths } from "../trust/paths.ts";
import { readOptions } from "./change-options.ts";
import { parseEnum, parseFilter, type Read, readEach, readFields, right, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

const mostTeams = 1_000;

/** `keyBackends` are those there are. */
export function parseInitializeTrust(
  request: InitializeTrustRequest,
  keyBackends: ReadonlySet<string>,
): InitializeTrust {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    teams: readEach(read, "teams", request.teams, mostTeams, (grant, path) =>
      readGrant(read, grant, path, request.teams),
    ),
    displayName: read("display_name", parseDisplayName(request.displayName)),
    labels: read("labels", parseLabels(Object.entries(request.labels))),
    keyBackend: read("key_backend", parseKeyBackend(request.keyBackend, keyBackends)),
    notary: request.notary,
    releasesPaths: read("releases_paths", parsePaths(request.releasesPaths)),
    options: readOptions(read, request.options),
  }));
}

function readGrant(read: Read, grant: WireGrant, path: string, all: readonly WireGrant[]): TeamGrant {
  if (all.find((other) => other.team === grant.team) !== grant) {
    read(`${path}.team`, wrong("must not name the same team twice"));
  }
  return {
    team: read(`${path}.team`, parseTeamId(grant.team)),
    paths: read(`${path}.paths`, parsePaths(grant.paths)),
    excludeFromReleases: grant.excludeFromReleases,
  };
}

function parseKeyBackend(name: string, known: ReadonlySet<string>): Parsed<string> {
  return name === "" || known.has(name) ? right(name) : wrong(`must be one of ${[...known].join(", ")}, or empty`);
}

/** What a read of a collection waits for; generation 0 and no team: nothing. */
export interface GetTrust {
  readonly gun: Gun;
  readonly generation: bigint;
  readonly teamRevisions: readonly TeamRevision[];
}

export function parseGetTrust(request: GetTrustRequest): GetTrust {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    generation: read("min_published_generation", parseCount(request.minPublishedGeneration)),
    teamRevisions: readEach(read, "min_team_revisions", request.minTeamRevisions, mostTeams, (revision, path) =>
      readRevision(read, revision, path),
    ),
  }));
}

function readRevision(read: Read, revision: WireRevision, path: string): TeamRevision {
  return {
    team: read(`${path}.team`, parseTeamId(revision.team)),
    revision: read(`${path}.revision`, parseCount(revision.revision)),
  };
}

function parseCount(number: bigint): Parsed<bigint> {
  return number < 0n ? wrong("must not be negative") : right(number);
}

export interface ListTrusts {
  readonly filter: CollectionFilter;
  readonly page: PageRequest;
}

export function parseListTrusts(request: ListTrustsRequest): ListTrusts {
  return readFields((read) => ({
    filter: {
      gunPrefix: read("gun_prefix", parseGunPrefix(request.gunPrefix)),
      team: read("team", parseFilter(request.team, parseTeamId, "")),
      states: readEach(read, "states", request.states, 100, (state, path) =>
        read(path, parseEnum(CollectionState, state)),
      ),
    },
    page: readPage(read, request),
  }));
}

export function parseDeleteTrust(request: DeleteTrustRequest): DeleteTrust {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    options: readOptions(read, request.options),
  }));
}
