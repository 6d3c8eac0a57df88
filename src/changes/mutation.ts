import type { Call } from "../audit/call.ts";
import type { RecordDraft } from "../audit/record.ts";
import type { Database, Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { ChangeOptions } from "./options.ts";
import type { Commitment, Outcome, Progress } from "./outcome.ts";
import { etagOfPlan, type Plan, quietPlan } from "./plan.ts";
import { claimRequest, type EarlierRequest, findRequest, settleRequest } from "./requests.ts";

/** What one mutation decided inside its transaction. */
export interface Decision {
  readonly plan: Plan;
  /** False when desired state already held it: nothing was written but the record. */
  readonly changed: boolean;
  readonly record: RecordDraft;
  readonly commitment: Commitment;
  /** Whatever lets the answer be built again for a repeated request_id. */
  readonly resource: string;
}

/** Appends one record to the audit log as part of a transaction; audit/ implements it. */
export type AppendRecord = (tx: Transaction, call: Call, draft: RecordDraft, now: Date) => Promise<void>;

/** What every mutation needs from the house. */
export interface Changing {
  readonly database: Database;
  readonly append: AppendRecord;
  /** Refuses with AUDIT_BEHIND while the log cannot keep up. */
  readonly admit: () => void;
  readonly progress: Progress;
  readonly now: () => Date;
}

export interface Changed {
  readonly outcome: Outcome;
  readonly resource: string;
}

/** Less time than this and a change is refused before its transaction: its caller could not be told what became of it. */
const leastMs = 250;

/**
 * Makes one change: one transaction holds the request_id, what `decide` writes, and the record; then the caller is told
 * how far it has come. `decide` may run more than once (lost races) and must write nothing outside its transaction.
 * With validate_only everything is decided and rolled back, and only the record of the question is kept.
 */
export async function makeChange(
  changing: Changing,
  call: Call,
  options: ChangeOptions,
  decide: (tx: Transaction, now: Date) => Promise<Decision>,
): Promise<Changed> {
  if (call.deadline - Date.now() < leastMs) {
    throw new Fault("DEADLINE_TOO_SHORT", `A change needs at least ${leastMs} ms; nothing was changed.`);
  }
  changing.admit();
  if (options.validateOnly) return ask(changing, call, options, decide);
  const decided = await commit(changing, call, options, decide);
  const unchanged = !decided.replayed && !decided.changed && isSettled(decided.commitment);
  const followed = unchanged ? nothingFollowed : await follow(changing, call, options, decided.commitment);
  return {
    resource: decided.resource,
    outcome: {
      ...followed,
      plan: decided.plan,
      validatedOnly: false,
      requestReplayed: decided.replayed,
      planEtag: etagOfPlan(decided.plan),
    },
  };
}

type Followed = Awaited<ReturnType<Progress["follow"]>>;

const nothingFollowed: Followed = { state: "UNCHANGED", publications: [], rollout: undefined, teamRevisions: [] };

/** The change is kept, whatever happens now: where its progress cannot be read, it is PENDING, never an error. */
async function follow(
  changing: Changing,
  call: Call,
  options: ChangeOptions,
  commitment: Commitment,
): Promise<Followed> {
  const waiting = { wait: !options.noWait, deadline: call.deadline, signal: call.signal };
  try {
    return await changing.progress.follow(commitment, waiting);
  } catch (error) {
    if (error instanceof Fault) return { ...nothingFollowed, state: "PENDING" };
    throw error;
  }
}

interface Committed {
  readonly plan: Plan;
  readonly changed: boolean;
  readonly commitment: Commitment;
  readonly resource: string;
  readonly replayed: boolean;
}

async function commit(
  changing: Changing,
  call: Call,
  options: ChangeOptions,
  decide: (tx: Transaction, now: Date) => Promise<Decision>,
): Promise<Committed> {
  try {
    return await changing.database.transaction(async (tx) => {
      const now = changing.now();
      const earlier = call.requestId === "" ? undefined : await claimRequest(tx, call, now);
      if (earlier !== undefined) return replayOf(earlier);
      const decision = await decide(tx, now);
      requirePlan(options, decision.plan);
      await Promise.all([
        call.requestId === "" ? undefined : settleRequest(tx, call, decision),
        changing.append(tx, call, decision.record, now),
      ]);
      return { ...decision, replayed: false };
    });
  } catch (error) {
    return await lookUp(changing, call, error);
  }
}

/** After a COMMIT without an answer the request_id tells whether the change was kept; without one, only a repeat can. */
async function lookUp(changing: Changing, call: Call, error: unknown): Promise<Committed> {
  if (!(error instanceof Fault && error.reason === "OUTCOME_UNKNOWN") || call.requestId === "") throw error;
  const earlier = await findRequest(changing.database, call).catch(() => undefined);
  if (earlier === undefined) throw error;
  return replayOf(earlier);
}

function replayOf(earlier: EarlierRequest): Committed {
  return {
    ...earlier,
    plan: quietPlan("Decided by an earlier call with this request_id."),
    changed: false,
    replayed: true,
  };
}

function isSettled(commitment: Commitment): boolean {
  return commitment.collection === undefined && commitment.rolloutId === undefined;
}

function requirePlan(options: ChangeOptions, plan: Plan): void {
  if (options.planEtag === "" || options.planEtag === etagOfPlan(plan)) return;
  throw new Fault("PLAN_CHANGED", "The plan is no longer the one previewed; preview it again with validate_only.", {
    metadata: { plan_etag: etagOfPlan(plan) },
  });
}

class Answered extends Error {
  readonly decision: Decision;
  constructor(decision: Decision) {
    super("validated");
    this.decision = decision;
  }
}

async function ask(
  changing: Changing,
  call: Call,
  options: ChangeOptions,
  decide: (tx: Transaction, now: Date) => Promise<Decision>,
): Promise<Changed> {
  const decision = await rolledBack(changing, decide);
  requirePlan(options, decision.plan);
  await changing.database.transaction((tx) =>
    changing.append(tx, call, { ...decision.record, stage: "QUESTION" }, changing.now()),
  );
  return {
    resource: decision.resource,
    outcome: {
      plan: decision.plan,
      state: decision.changed ? "PENDING" : "UNCHANGED",
      publications: [],
      rollout: undefined,
      teamRevisions: [],
      validatedOnly: true,
      requestReplayed: false,
      planEtag: etagOfPlan(decision.plan),
    },
  };
}

async function rolledBack(
  changing: Changing,
  decide: (tx: Transaction, now: Date) => Promise<Decision>,
): Promise<Decision> {
  try {
    return await changing.database.transaction(async (tx) => {
      throw new Answered(await decide(tx, changing.now()));
    });
  } catch (error) {
    if (error instanceof Answered) return error.decision;
    throw error;
  }
}
