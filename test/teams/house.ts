import { appendRecord } from "../../src/audit/append.ts";
import type { Call } from "../../src/audit/call.ts";
import type { Json, Subject } from "../../src/audit/record.ts";
import type { ChangeOptions } from "../../src/changes/options.ts";
import { nothingToPublish, type Outcome } from "../../src/changes/outcome.ts";
import { type Plan, type PlanWarning, quietPlan } from "../../src/changes/plan.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import type { Fault } from "../../src/errors.ts";
import { type MemberId, type Parsed, parseMemberId, parseTeamId, type TeamId } from "../../src/names.ts";
import { type DisplayName, parseDisplayName } from "../../src/teams/display-name.ts";
import type { Effects, GuardReading, NewKey, RolloutKind, TeamKeyChange } from "../../src/teams/effects.ts";
import { type Labels, parseLabels } from "../../src/teams/labels.ts";
import type { TeamRoom } from "../../src/teams/room.ts";
import type { Authorities } from "../../src/x509/authorities.ts";
import { borrowPostgres } from "../stack/shared-postgres.ts";

/** Effects that publish nothing, remember what they were asked, and refuse when told to. */
export class RememberedEffects implements Effects {
  readonly refreshed: { readonly teams: readonly TeamId[]; readonly signal: AbortSignal }[] = [];
  /** What was read before an addition. */
  readonly lookedFor: { readonly teams: readonly TeamId[]; readonly keys: readonly NewKey[] }[] = [];
  readonly planned: (readonly TeamKeyChange[])[] = [];
  readonly guarded: {
    readonly changes: readonly TeamKeyChange[];
    readonly options: ChangeOptions;
    readonly reading: GuardReading;
  }[] = [];
  readonly changes: TeamKeyChange[] = [];
  readonly kinds: RolloutKind[] = [];
  readonly order: string[] = [];
  readonly delegated = new Set<TeamId>();
  unreadable: ReadonlyMap<string, string> = new Map();
  refusal: Fault | undefined;

  async refresh(
    teams: readonly TeamId[],
    keys: readonly NewKey[] | undefined,
    signal: AbortSignal,
  ): Promise<GuardReading> {
    if (keys === undefined) {
      this.order.push("refresh");
      this.refreshed.push({ teams, signal });
    } else this.lookedFor.push({ teams, keys });
    return { unreadable: this.unreadable, isComplete: keys === undefined };
  }

  async plan(_tx: unknown, changes: readonly TeamKeyChange[]): Promise<Plan> {
    this.order.push("plan");
    this.planned.push(changes);
    return { ...quietPlan(`${changes.length} teams change.`), collections: changes.length };
  }

  async guard(
    _tx: unknown,
    changes: readonly TeamKeyChange[],
    options: ChangeOptions,
    reading: GuardReading,
  ): Promise<readonly PlanWarning[]> {
    this.order.push("guard");
    this.guarded.push({ changes, options, reading });
    if (this.refusal !== undefined) throw this.refusal;
    return [];
  }

  async changed(
    _tx: unknown,
    _call: Call,
    kind: RolloutKind,
    changes: readonly TeamKeyChange[],
  ): Promise<typeof nothingToPublish> {
    this.order.push("changed");
    this.kinds.push(kind);
    this.changes.push(...changes);
    return nothingToPublish;
  }

  async isDelegated(_tx: unknown, team: TeamId): Promise<boolean> {
    return this.delegated.has(team);
  }

  async delegationCounts(_db: unknown, teams: readonly TeamId[]): Promise<ReadonlyMap<TeamId, number>> {
    return new Map(teams.filter((team) => this.delegated.has(team)).map((team) => [team, 3]));
  }
}

/** A record as it was appended, in the order of the log. */
export interface KeptRecord {
  readonly event_type: string;
  readonly stage: string;
  readonly severity: string;
  readonly subject: Subject;
  readonly about?: readonly Subject[];
  readonly change: { readonly before: Json; readonly after: Json; readonly diff: readonly string[] };
}

/** The teams' room on a real PostgreSQL of its own. */
export interface House {
  readonly room: TeamRoom;
  readonly effects: RememberedEffects;
  /** How the service is configured; may be changed. */
  readonly settings: { authorities: Authorities | undefined; requiresPossessionProof: boolean };
  readonly database: Database;
  /** Moves the service's clock, which else stands still. */
  advance(ms: number): void;
  readonly now: () => Date;
  records(): Promise<readonly KeptRecord[]>;
  /** Everything that teams/ may write, but for the records. */
  rows(): Promise<string>;
  /** Begins anew with empty tables and effects. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openHouse(): Promise<House> {
  const postgres = await borrowPostgres();
  const database = openDatabase({ url: postgres.appUrl, connections: 12 });
  const owner = openDatabase({ url: postgres.ownerUrl, connections: 2 });
  const effects = new RememberedEffects();
  const settings: House["settings"] = { authorities: undefined, requiresPossessionProof: false };
  // A whole second, as the ends of certificates are.
  const start = Math.floor(Date.now() / 1_000) * 1_000;
  let time = start;
  const now = (): Date => new Date(time);
  const follow = async (): Promise<Pick<Outcome, "state" | "publications" | "rollout" | "teamRevisions">> => ({
    state: "PENDING",
    publications: [],
    rollout: undefined,
    teamRevisions: [],
  });
  return {
    room: {
      changing: { database, append: appendRecord, admit: () => undefined, progress: { follow }, now },
      effects,
      authorities: () => settings.authorities,
      get requiresPossessionProof() {
        return settings.requiresPossessionProof;
      },
    },
    settings,
    effects,
    database,
    advance: (ms) => {
      time += ms;
    },
    now,
    records: async () => {
      const rows = await database.rows<{ record: Buffer }>("select record from audit.intake order by id");
      return rows.map((row) => JSON.parse(row.record.toString()) as KeptRecord);
    },
    rows: () => rowsOf(database),
    clear: async () => {
      await owner.run("truncate teams, members, requests, rollouts cascade");
      await database.run("delete from audit.intake");
      for (const list of [
        effects.refreshed,
        effects.lookedFor,
        effects.kinds,
        effects.planned,
        effects.guarded,
        effects.changes,
        effects.order,
      ]) {
        list.length = 0;
      }
      time = start;
      settings.authorities = undefined;
      settings.requiresPossessionProof = false;
      effects.delegated.clear();
      effects.refusal = undefined;
      effects.unreadable = new Map();
    },
    close: async () => {
      await Promise.all([database.close(), owner.close()]);
      await postgres.stop();
    },
  };
}

const tables = [
  "teams",
  "members",
  "memberships",
  "signing_keys",
  "certificates",
  "possession_challenges",
  "requests",
  "rollouts",
];

async function rowsOf(database: Database): Promise<string> {
  const contents = await Promise.all(
    tables.map(async (table) => {
      const row = await database.row<{ all: string | null }>(
        `select string_agg(t::text, ' ' order by t::text) as "all" from ${table} t`,
      );
      return `${table}: ${row?.all ?? ""}`;
    }),
  );
  return contents.join("\n");
}

let traces = 0;

export function callOf(over: Partial<Call> = {}): Call {
  traces += 1;
  return {
    actor: { type: "caller", id: "spiffe://example.org/portal", authentication: "mtls", certificateSha256: "ab" },
    method: "imagetrust.v1.TeamService/Test",
    authorization: undefined,
    requestId: "",
    requestDigest: "00".repeat(32),
    reason: "",
    peer: "",
    userAgent: "",
    traceId: String(traces),
    spanId: "",
    deadline: Date.now() + 20_000,
    signal: new AbortController().signal,
    ...over,
  };
}

export function optionsOf(over: Partial<ChangeOptions> = {}): ChangeOptions {
  return {
    requestId: "",
    validateOnly: false,
    reason: "",
    etag: "",
    noWait: false,
    acceptOrphaned: false,
    acceptRevived: false,
    acceptWithoutSigner: false,
    planEtag: "",
    ...over,
  };
}

export const teamId = (text: string): TeamId => parsed(parseTeamId(text));
export const memberId = (text: string): MemberId => parsed(parseMemberId(text));
export const displayName = (text: string): DisplayName => parsed(parseDisplayName(text));
export const labels = (entries: Readonly<Record<string, string>> = {}): Labels =>
  parsed(parseLabels(Object.entries(entries)));

function parsed<T>(result: Parsed<T>): T {
  if (!result.ok) throw new Error(result.fault);
  return result.value;
}
