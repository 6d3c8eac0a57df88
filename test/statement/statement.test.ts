import assert from "node:assert/strict";
import { test } from "node:test";
import { statementOf } from "../../src/statement.ts";

test("each name gets one placeholder, in the order of its first use", () => {
  const { text, names } = statementOf("select :b, :a, :b");
  assert.equal(text, "select $1, $2, $1");
  assert.deepEqual(names, ["b", "a"]);
});

test("casts and text in quotes stay as they are", () => {
  const { text, names } = statementOf("select ':no', 'it''s :no', x::text, :yes::int, array[1][:slice]");
  assert.equal(text, "select ':no', 'it''s :no', x::text, $1::int, array[1][$2]");
  assert.deepEqual(names, ["yes", "slice"]);
});

test("the same SQL is the same prepared statement, and other SQL another one", () => {
  assert.equal(statementOf("select :a").name, statementOf("select :a").name);
  assert.notEqual(statementOf("select :a").name, statementOf("select  :a").name);
});
