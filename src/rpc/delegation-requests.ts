import { PublicationState, RolloutKind } from "../../gen/imagetrust/v1/change.ts";
import type {
  BatchDelegateRequest,
  CancelRolloutRequest,
  DelegateRequest,
  GetDelegationRequest,
  GetRolloutRequest,
  ListDelegationsRequest,
  ListRolloutsRequest,
  UndelegateRequest,
  WatchRolloutRequest,
} from "../../gen/imagetrust/v1/delegation.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { type Gun, parseGun, parseGunPrefix, parseTeamId, type TeamId } from "../names.ts";
import { parseLabels } from "../teams/labels.ts";
import type { Delegate, Undelegate } from "../trust/delegate.ts";
import { parsePaths } from "../trust/paths.ts";
import type { BatchDelegate } from "../trust/rollouts/batch-delegate.ts";
import { mostInBatch, type Selection } from "../trust/rollouts/batch-selection.ts";
import type { CancelRollout } from "../trust/rollouts/cancel-rollout.ts";
import type { RolloutFilter } from "../trust/rollouts/rollout-store.ts";
import { parseRolloutId, type RolloutId, type RolloutQuery } from "../trust/rollouts/rollout-view.ts";
import { readOptions } from "./change-options.ts";
import { parseEnum, parseFilter, parseLine, type Read, readEach, readFields, right, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

export function parseDelegate(request: DelegateRequest): Delegate {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    team: read("team", parseTeamId(request.team)),
    paths: read("paths", parsePaths(request.paths)),
    excludeFromReleases: request.excludeFromReleases,
    options: readOptions(read, request.options),
  }));
}

export function parseUndelegate(request: UndelegateRequest): Undelegate {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    team: read("team", parseTeamId(request.team)),
    options: readOptions(read, request.options),
  }));
}

export function parseGetDelegation(request: GetDelegationRequest): { readonly gun: Gun; readonly team: TeamId } {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    team: read("team", parseTeamId(request.team)),
  }));
}

export interface ListDelegations {
  readonly filter: { readonly gun: Gun | ""; readonly team: TeamId | "" };
  readonly page: PageRequest;
}

export function parseListDelegations(request: ListDelegationsRequest): ListDelegations {
  return readFields((read) => {
    if (request.gun === "" && request.team === "") {
      read("gun", wrong("must be given, or team must"));
      read("team", wrong("must be given, or gun must"));
    }
    return {
      filter: {
        gun: read("gun", parseFilter(request.gun, parseGun, "" as const)),
        team: read("team", parseFilter(request.team, parseTeamId, "" as const)),
      },
      page: readPage(read, request),
    };
  });
}

export function parseGetRollout(request: GetRolloutRequest): {
  readonly query: RolloutQuery;
  readonly page: PageRequest;
} {
  return readFields((read) => ({
    query: {
      id: read("id", parseRolloutId(request.id)),
      states: readEach(read, "states", request.states, 100, (state, path) =>
        read(path, parseEnum(PublicationState, state)),
      ),
    },
    page: readPage(read, request),
  }));
}

export function parseBatchDelegate(request: BatchDelegateRequest): BatchDelegate {
  return readFields((read) => {
    const options = readOptions(read, request.options);
    if (options.etag !== "") read("options.etag", wrong("must be empty; a batch is insisted on by options.plan_etag"));
    return {
      team: read("team", parseTeamId(request.team)),
      of: readRepositories(read, request),
      paths: read("paths", parsePaths(request.paths)),
      excludeFromReleases: request.excludeFromReleases,
      options,
    };
  });
}

/** Exactly one of a list of distinct GUNs and a selection by anything. */
function readRepositories(read: Read, { guns, selection }: BatchDelegateRequest): BatchDelegate["of"] {
  if ((guns.length === 0) === (selection === undefined)) {
    for (const field of ["guns", "selection"]) read(field, wrong("must be given, and not both guns and selection"));
  }
  if (selection !== undefined) return { selection: readSelection(read, selection) };
  const seen = new Set<string>();
  return {
    guns: readEach(read, "guns", guns, mostInBatch, (gun, path) => {
      if (seen.has(gun)) return read(path, wrong("must be named once"));
      seen.add(gun);
      return read(path, parseGun(gun));
    }),
  };
}

function readSelection(read: Read, selection: NonNullable<BatchDelegateRequest["selection"]>): Selection {
  const { gunPrefix, labels, team } = selection;
  if (gunPrefix === "" && team === "" && Object.keys(labels).length === 0) {
    read("selection", wrong("must give a gun_prefix, labels or a team"));
  }
  return {
    gunPrefix: read("selection.gun_prefix", parseGunPrefix(gunPrefix)),
    labels: read("selection.labels", parseLabels(Object.entries(labels))),
    team: read("selection.team", parseFilter(team, parseTeamId, "" as const)),
  };
}

export interface ListRollouts {
  readonly filter: RolloutFilter;
  readonly page: PageRequest;
}

export function parseListRollouts(request: ListRolloutsRequest): ListRollouts {
  return readFields((read) => ({
    filter: {
      kind: read(
        "kind",
        request.kind === RolloutKind.UNSPECIFIED ? right("" as const) : parseEnum(RolloutKind, request.kind),
      ),
      actor: read("actor", parseLine(request.actor, 512)),
      unfinished: request.unfinished,
    },
    page: readPage(read, request),
  }));
}

export function parseWatchRollout(request: WatchRolloutRequest): RolloutId {
  return readFields((read) => read("id", parseRolloutId(request.id)));
}

export function parseCancelRollout(request: CancelRolloutRequest): CancelRollout {
  return readFields((read) => {
    const options = readOptions(read, request.options);
    if (options.etag !== "") read("options.etag", wrong("must be empty; a rollout has none"));
    return { id: read("id", parseRolloutId(request.id)), options };
  });
}
