import { appendRecord } from "../../src/audit/append.ts";
import type { Call } from "../../src/audit/call.ts";
import type { RecordDraft } from "../../src/audit/record.ts";
import type { Database } from "../../src/database.ts";
import type { Gun } from "../../src/names.ts";

/** A call as the edge makes it, with what a test wants otherwise. */
export function sampleCall(changes: Partial<Call> = {}): Call {
  return {
    actor: { type: "caller", id: "alice", authentication: "mtls", certificateSha256: "ab".repeat(32) },
    method: "imagetrust.v1.DelegationService/Delegate",
    authorization: {
      action: "Delegate",
      resource: "dtr.example.org/dev/nginx",
      decision: "ALLOW",
      policies: ["owner"],
    },
    requestId: "",
    requestDigest: "cd".repeat(32),
    reason: "",
    peer: "127.0.0.1:50000",
    userAgent: "grpc-node-js/1.14.7",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    deadline: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    ...changes,
  };
}

export const nginx = "dtr.example.org/dev/nginx" as Gun;

/** A record of a delegation, with what a test wants otherwise. */
export function sampleDraft(changes: Partial<RecordDraft> = {}): RecordDraft {
  return {
    eventType: "delegation.delegated.v1",
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "gun", id: nginx },
    about: [{ type: "team", id: "qa" }],
    result: "OK",
    resultReason: "",
    gun: nginx,
    change: { before: null, after: { team: "qa", paths: [""] }, diff: ["team qa may sign every tag"] },
    publication: undefined,
    ...changes,
  };
}

/** Appends the drafts, each in a transaction of its own, one after another. */
export async function appendAll(
  database: Pick<Database, "transaction">,
  drafts: readonly RecordDraft[],
  call: Call = sampleCall(),
  now: Date = new Date(),
): Promise<void> {
  for (const draft of drafts) await database.transaction((tx) => appendRecord(tx, call, draft, now));
}

/** A log for sequencers that must have nothing to complain about. */
export function strictLog(): { readonly complaints: unknown[]; warn(fields: object, message: string): void } {
  const complaints: unknown[] = [];
  return { complaints, warn: (fields, message) => void complaints.push({ ...fields, message }) };
}

/** Waits until the condition holds, or fails after ten seconds. */
export async function until(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Waited in vain until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
