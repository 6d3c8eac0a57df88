import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { InvalidArgumentError } from "commander";
import fc from "fast-check";
import { type Zippable, zipSync } from "fflate";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import { CollectionState } from "../../gen/imagetrust/v1/trust.ts";
import { certificateOfBundle } from "../../src/cli/client-bundle.ts";
import { exitCode, UsageError } from "../../src/cli/exit-code.ts";
import { collectEnum, collectLabel, parseEnum, parseGeneration, parseTime } from "../../src/cli/option-values.ts";
import { Refusal, reportError } from "../../src/cli/refusal.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

/** Bytes as they are, with pieces overwritten, left out, repeated or cut off. */
function damaged(whole: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const wound = fc.record({
    at: fc.nat(10_000),
    left: fc.nat(8),
    put: fc.uint8Array({ maxLength: 8 }),
    end: fc.boolean(),
  });
  return fc.tuple(whole, fc.array(wound, { maxLength: 4 })).map(([bytes, wounds]) =>
    wounds.reduce((found, { at, left, put, end }) => {
      const from = at % (found.length + 1);
      return Buffer.concat([found.subarray(0, from), put, end ? Buffer.alloc(0) : found.subarray(from + left)]);
    }, bytes),
  );
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom("", "__proto__", "constructor", "\u001b[2J"),
);

/** Becomes a name that the zip library cannot write itself. */
const placeholder = "aaaaaaaaa";

test("any bundle gives a small certificate or a usage error, and never anything of its key", () => {
  const pem = String(generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
  const secret = pem.split("\n")[1] ?? "";
  const name = fc.constantFrom("cert.pem", "a/cert.pem", "a/b/cert.pem", "key.pem", "x", placeholder);
  const file = fc.record({
    name,
    size: fc.constantFrom(0, 10, 66_000),
    level: fc.constantFrom(0 as const, 6 as const),
  });
  const whole = fc.array(file, { maxLength: 4 }).map((files) => {
    const zippable: Zippable = {};
    for (const { name, size, level } of files) {
      zippable[name] = [Buffer.from(name === "key.pem" ? pem : "c".repeat(size)), { level }];
    }
    return Buffer.from(
      Buffer.from(zipSync(zippable)).toString("latin1").replaceAll(placeholder, "__proto__"),
      "latin1",
    );
  });
  const property = fc.property(damaged(whole), (zip) => {
    try {
      const certificate = certificateOfBundle(zip);
      assert.ok(certificate.length > 0 && certificate.length <= 65_536);
      assert.ok(!Buffer.from(certificate).includes(secret));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      assert.ok(!error.message.includes(secret));
    }
  });
  fc.assert(property, { numRuns: 500 });
});

/** An error's trailer as a service sends it. */
const details = fc
  .record({
    reason: text,
    metadata: fc.dictionary(text, text, { maxKeys: 3 }),
    fieldViolations: fc.array(fc.record({ field: text, description: text }), { maxLength: 3 }),
  })
  .map(({ reason, metadata, fieldViolations }) => {
    const info = ErrorInfo.encode({ reason, domain: "imagetrust", metadata }).finish();
    const bad = BadRequest.encode(BadRequest.fromPartial({ fieldViolations })).finish();
    const any = (name: string, value: Uint8Array) => ({ typeUrl: `x/google.rpc.${name}`, value: Buffer.from(value) });
    const all = [any("ErrorInfo", info), any("BadRequest", bad)];
    return Buffer.from(Status.encode({ code: 3, message: "", details: all }).finish());
  });

test("whatever stands in an error's details, the error is printed in plain lines or as JSON, with an exit code", () => {
  const trailer = fc.option(
    fc.oneof(
      damaged(details),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    ),
  );
  const code = fc.constantFrom(...Object.values(status).filter((value) => typeof value === "number"));
  const property = fc.property(trailer, code, text, (bytes, code, message) => {
    const metadata = new Metadata();
    if (bytes !== null) metadata.set("grpc-status-details-bin", bytes);
    const refusal = new Refusal(
      Object.assign(new Error(message), { code, details: message, metadata }) as ServiceError,
    );
    const printed = (json: boolean) => {
      const err: string[] = [];
      const terminal: Terminal = {
        out: () => {},
        err: (part) => void err.push(part),
        colour: false,
        isTerminal: false,
        onInterrupt: () => () => undefined,
        input: async function* () {},
      };
      assert.ok(Object.values(exitCode).includes(reportError(terminal, refusal, json)));
      return err.join("");
    };
    assert.match(printed(false), /^error: /);
    assert.doesNotMatch(printed(false).replaceAll("\n", ""), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    assert.deepEqual(Object.keys(JSON.parse(printed(true)).error), ["reason", "message", "fields", "metadata"]);
  });
  fc.assert(property, { numRuns: 300 });
});

/** What a parser of an option answers; undefined where it refuses as commander wants it. */
function outcome<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    return undefined;
  }
}

test("any text is an enum's value or is refused with the choices", () => {
  const known = new Set<number>(Object.values(CollectionState).filter((value) => value !== 0));
  const words = fc.oneof(
    text,
    fc.constantFrom("in-sync", "IN_SYNC", "unspecified", "UNSPECIFIED", "hasOwnProperty", "valueOf"),
  );
  const property = fc.property(words, (word) => {
    const value = outcome(() => parseEnum(CollectionState, word));
    assert.ok(value === undefined || known.has(value), word);
    const all = outcome(() => collectEnum(CollectionState)(word, [CollectionState.BLOCKED]));
    assert.deepEqual(all, value === undefined ? undefined : [CollectionState.BLOCKED, value]);
  });
  fc.assert(property, { numRuns: 300 });
});

test("any text is a label of its own, whatever its name, or is refused", () => {
  const property = fc.property(text, text, (name, value) => {
    const labels = outcome(() => collectLabel(`${name}=${value}`, { kept: "1" }));
    const [first = ""] = name.split("=");
    if (first === "") assert.equal(labels, undefined);
    else assert.deepEqual(new Set(Object.keys(labels ?? {})), new Set(["kept", first]));
    assert.equal(Object.getPrototypeOf(labels ?? {}), Object.prototype);
  });
  fc.assert(property);
});

test("any text is a generation that fits 64 bits, or is refused", () => {
  const digits = fc.oneof(
    text,
    fc.bigInt({ min: -10n, max: 2n ** 70n }).map(String),
    fc.constantFrom("01", "1e3", "0x1", " 1"),
  );
  const property = fc.property(digits, (word) => {
    const value = outcome(() => parseGeneration(word));
    if (value !== undefined) assert.deepEqual([String(value), value > 0n && value < 2n ** 63n], [word, true]);
  });
  fc.assert(property, { numRuns: 300 });
});

test("a time is read as what it says, and any other text is refused", () => {
  const exact = fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true });
  fc.assert(fc.property(exact, (time) => assert.deepEqual(parseTime(time.toISOString()), time)));
  fc.assert(
    fc.property(text, (word) =>
      assert.equal(
        outcome(() => parseTime(word)),
        undefined,
      ),
    ),
  );
  for (const word of ["1", "2026", "March 1 2026", "2026-03-01T12:00:00", "2026-03-01 12:00Z", "2026-13-01"]) {
    assert.equal(
      outcome(() => parseTime(word)),
      undefined,
      word,
    );
  }
});

test("a day that no calendar has is refused", () => {
  for (const text of ["2026-02-30", "2026-02-30T00:00:00Z", "2025-02-29"]) {
    assert.throws(() => parseTime(text), InvalidArgumentError, text);
  }
});
