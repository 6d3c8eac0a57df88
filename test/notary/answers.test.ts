import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoleName } from "../../src/names.ts";
import { classifyRead, classifyUpload, maxErrorBytes, printable } from "../../src/notary/answers.ts";

const errorBody = (code: string, detail?: unknown, message = "told by the server") =>
  Buffer.from(JSON.stringify({ errors: [{ code, message, detail }] }));
const invalidUpdate = (name: string, error: unknown) => errorBody("INVALID_UPDATE", { Name: name, Error: error });

const uploads: readonly (readonly [string, number, Buffer, object])[] = [
  ["200 with no body", 200, Buffer.alloc(0), { kind: "ACCEPTED" }],
  ["200 with a body", 200, Buffer.from("anything"), { kind: "ACCEPTED" }],
  ["VERSION", 400, errorBody("VERSION", {}), { kind: "VERSION" }],
  ["VERSION under another status", 500, errorBody("VERSION", {}), { kind: "FAILED" }],
  [
    "MALFORMED_JSON",
    400,
    errorBody("MALFORMED_JSON"),
    { kind: "REFUSED", code: "MALFORMED_JSON", error: "", detail: "HTTP 400: MALFORMED_JSON: told by the server" },
  ],
  ["MALFORMED_UPLOAD", 400, errorBody("MALFORMED_UPLOAD"), { kind: "REFUSED", code: "MALFORMED_UPLOAD", error: "" }],
  [
    "INVALID_ROLE",
    400,
    errorBody("INVALID_ROLE", "releases"),
    { kind: "REFUSED", code: "INVALID_ROLE", error: "", detail: "HTTP 400: INVALID_ROLE: releases" },
  ],
  [
    "ErrBadTargets",
    400,
    invalidUpdate("ErrBadTargets", { Msg: "threshold not met" }),
    {
      kind: "REFUSED",
      code: "INVALID_UPDATE",
      error: "ErrBadTargets",
      detail: "HTTP 400: INVALID_UPDATE: ErrBadTargets: threshold not met",
    },
  ],
  ["ErrBadRoot", 400, invalidUpdate("ErrBadRoot", { Msg: "no" }), { kind: "REFUSED", error: "ErrBadRoot" }],
  ["ErrBadSnapshot", 400, invalidUpdate("ErrBadSnapshot", {}), { kind: "REFUSED", error: "ErrBadSnapshot" }],
  [
    "a missing timestamp key",
    400,
    invalidUpdate("ErrBadRoot", { Msg: "no timestamp keys exist on the server" }),
    { kind: "MISSING_SERVER_KEY" },
  ],
  [
    "a missing snapshot key",
    400,
    invalidUpdate("ErrBadHierarchy", { Missing: "snapshot", Msg: "no snapshot was included" }),
    { kind: "MISSING_SERVER_KEY" },
  ],
  [
    "a key that the remote signer does not find",
    400,
    invalidUpdate("ErrValidation", { Msg: `rpc error: code = NotFound desc = key ${"ab".repeat(32)} not found` }),
    { kind: "MISSING_SERVER_KEY" },
  ],
  [
    "a remote signer that is away",
    400,
    invalidUpdate("ErrValidation", { Msg: "rpc error: code = Unavailable desc = connection error" }),
    { kind: "FAILED" },
  ],
  [
    "another gap in the hierarchy",
    400,
    invalidUpdate("ErrBadHierarchy", { Missing: "targets", Msg: "" }),
    { kind: "FAILED" },
  ],
  ["ErrValidation", 400, invalidUpdate("ErrValidation", { Msg: "no pre-existing root" }), { kind: "FAILED" }],
  ["an unknown validation error", 400, invalidUpdate("ErrNew", {}), { kind: "FAILED" }],
  ["INVALID_UPDATE without detail", 400, errorBody("INVALID_UPDATE"), { kind: "FAILED" }],
  ["INVALID_UPDATE under 500", 500, invalidUpdate("ErrBadTargets", {}), { kind: "FAILED" }],
  ["UPDATING", 500, errorBody("UPDATING"), { kind: "FAILED" }],
  ["UNKNOWN", 500, errorBody("UNKNOWN", {}), { kind: "FAILED" }],
  ["NO_FILENAME", 400, errorBody("NO_FILENAME"), { kind: "FAILED" }],
  ["INVALID_GUN", 400, errorBody("INVALID_GUN"), { kind: "FAILED" }],
  ["a 400 that is not Notary's", 400, Buffer.from("<html>"), { kind: "FAILED", detail: "HTTP 400" }],
  ["an error list without errors", 400, Buffer.from('{"errors":[]}'), { kind: "FAILED" }],
  ["a proxy's 502", 502, Buffer.from("bad gateway"), { kind: "FAILED", detail: "HTTP 502" }],
  ["201", 201, Buffer.alloc(0), { kind: "FAILED" }],
];

for (const [name, status, body, expected] of uploads) {
  test(`an upload answered with ${name} is ${Object.values(expected)[0]}`, () => {
    assert.partialDeepStrictEqual(classifyUpload(status, body), expected);
  });
}

test("a demand for credentials says what to do", () => {
  const answer = classifyUpload(401, errorBody("UNAUTHORIZED", "authentication required"));
  assert.equal(answer.kind, "FAILED");
  assert.match("detail" in answer ? answer.detail : "", /401.*identity.*client certificate/);
});

test("a redirect is not followed and says so", () => {
  const answer = classifyUpload(307, Buffer.alloc(0));
  assert.match("detail" in answer ? answer.detail : "", /redirects are not followed/);
});

const releases = "targets/releases" as RoleName;
const targets = "targets" as RoleName;
const notFound = errorBody("METADATA_NOT_FOUND", {});
const missing = (role: string) => errorBody("UNKNOWN", { Role: role });

const reads: readonly (readonly [string, number, Buffer, RoleName, "current" | "pinned", string])[] = [
  ["200", 200, Buffer.from("{}"), targets, "pinned", "FOUND"],
  ["Notary's 404", 404, notFound, targets, "pinned", "ABSENT"],
  ["somebody else's 404", 404, Buffer.from("<html>not found"), targets, "pinned", "FAULT"],
  ["an empty 404", 404, Buffer.alloc(0), targets, "current", "FAULT"],
  ["SQL storage's 500 for a delegation never signed", 500, missing("targets/releases"), releases, "current", "ABSENT"],
  ["that 500 for another role", 500, missing("targets/qa"), releases, "current", "FAULT"],
  ["that 500 for targets", 500, missing("targets"), targets, "current", "FAULT"],
  ["that 500 where a version was asked for", 500, missing("targets/releases"), releases, "pinned", "FAULT"],
  ["a 500 that names nothing", 500, errorBody("UNKNOWN", {}), releases, "current", "FAULT"],
  ["304", 304, Buffer.alloc(0), targets, "current", "FAULT"],
  ["204", 204, Buffer.alloc(0), targets, "current", "FAULT"],
  ["302", 302, Buffer.alloc(0), targets, "current", "FAULT"],
];

for (const [name, status, body, role, form, expected] of reads) {
  test(`a ${form} read answered with ${name} is ${expected}`, () => {
    assert.equal(classifyRead(status, body, role, form).kind, expected);
  });
}

test("classification never throws, and what it repeats of a server is short and printable", () => {
  const json = fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text));
  const shaped = fc
    .record({
      code: fc.constantFrom("VERSION", "INVALID_UPDATE", "UNKNOWN", "X"),
      message: fc.string(),
      detail: fc.json(),
    })
    .map(({ code, message, detail }) =>
      Buffer.from(`{"errors":[{"code":"${code}","message":${JSON.stringify(message)},"detail":${detail}}]}`),
    );
  const body = fc.oneof(
    json,
    shaped,
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  const status = fc.oneof(fc.constantFrom(200, 400, 404, 500), fc.integer({ min: 100, max: 999 }));
  fc.assert(
    fc.property(status, body, fc.constantFrom("current" as const, "pinned" as const), (code, bytes, form) => {
      for (const answer of [classifyUpload(code, bytes), classifyRead(code, bytes, releases, form)]) {
        if ("detail" in answer) assert.match(answer.detail, /^[^\p{C}\p{Zl}\p{Zp}]{1,300}$/u);
      }
    }),
    { numRuns: 500 },
  );
});

test("an error answer nested to the bound, or over it, is no reason to fail", () => {
  const deep = Buffer.from(`{"errors":[{"code":"VERSION","detail":${"[".repeat(8000)}${"]".repeat(8000)}}]}`);
  assert.ok(deep.length < maxErrorBytes);
  assert.equal(classifyUpload(400, deep).kind, "VERSION");
  const long = Buffer.from(`{"errors":[{"code":"VERSION","detail":"${"x".repeat(maxErrorBytes)}"}]}`);
  assert.equal(classifyUpload(400, long).kind, "FAILED");
});

test("control characters, line separators and broken surrogates never leave a server's text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 700 }), (text) => {
      const plain = printable(text);
      assert.ok(plain.length <= 300);
      assert.ok(plain.isWellFormed());
      assert.doesNotMatch(plain, /[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
  assert.equal(printable("a\u001b[31mred\r\nforged: line\u202e"), "a [31mred forged: line");
});
