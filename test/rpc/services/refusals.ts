import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { type ErrorReason, kindOfReason } from "../../../src/errors.ts";
import type { Refused, Rpc, Wish } from "./client.ts";
import type { House } from "./house.ts";

/** A call that must be refused. */
export interface Bad {
  readonly name: string;
  readonly rpc: Rpc<unknown, unknown>;
  readonly wish: Wish<Record<string, unknown>>;
  readonly reason: ErrorReason;
  /** Every field that must be named, as the proto spells it. */
  readonly fields: readonly string[];
}

/** Types the request of a row against its RPC. */
export function bad<Request>(
  name: string,
  rpc: Rpc<Request, unknown>,
  wish: Wish<Request>,
  reason: ErrorReason,
  ...fields: readonly string[]
): Bad {
  return { name, rpc: rpc as Rpc<unknown, unknown>, wish, reason, fields };
}

/** A row whose fields are wrong. */
export function invalid<Request>(
  name: string,
  rpc: Rpc<Request, unknown>,
  wish: Wish<Request>,
  ...fields: readonly string[]
): Bad {
  return bad(name, rpc, wish, "INVALID_FIELD", ...fields);
}

/** One test for each row. */
export function testRefusals(house: () => House, rows: readonly Bad[]): void {
  for (const row of rows) {
    test(`refused, with nothing changed and one record: ${row.name}`, async () => {
      await assertRefused(house(), row);
    });
  }
}

/** Sends what must be refused, and checks that it changed nothing but for the record of the refusal. */
export async function assertRefused(house: House, { rpc, wish, reason, fields }: Omit<Bad, "name">): Promise<Refused> {
  await house.freshRecords();
  const rows = await house.rows();
  const refused = await house.admin.refused(rpc, wish);
  assert.equal(refused.reason, reason, refused.message);
  assert.equal(refused.code, status[kindOfReason[reason]]);
  assert.ok(refused.message.length > 20);
  assert.deepEqual([...new Set(refused.violations.map(({ field }) => field))].sort(), [...fields].sort());
  for (const { description } of refused.violations) assert.match(description, /must /);
  assert.deepEqual(await house.rows(), rows);
  const [record, ...more] = await house.freshRecords();
  assert.deepEqual(more, []);
  assert.deepEqual(
    [record?.event_type, record?.stage, record?.result, record?.actor.id, record?.method],
    ["call.refused.v1", "DENIED", { code: kindOfReason[reason], reason }, "admin", rpc.path.slice(1)],
  );
  return refused;
}
