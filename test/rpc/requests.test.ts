import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AuditServiceService, ListAuditRecordsRequest } from "../../gen/imagetrust/v1/audit.ts";
import { ChangeOptions } from "../../gen/imagetrust/v1/change.ts";
import { DelegateRequest, DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { ExpiryServiceService } from "../../gen/imagetrust/v1/expiry.ts";
import { SignatureServiceService } from "../../gen/imagetrust/v1/signature.ts";
import { MemberKind, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { Fault } from "../../src/errors.ts";
import { parseListAuditRecords } from "../../src/rpc/audit-requests.ts";
import { parseDelegate } from "../../src/rpc/delegation-requests.ts";
import { parseEnum, readFields, right, wrong } from "../../src/rpc/fields.ts";
import { parseRevokeCertificate } from "../../src/rpc/team-requests.ts";

import { parsers } from "./request-parsers.ts";

const unspeakable = /\p{Cc}|\p{Cs}/u;
/** What is compared only, or judged where it is used, so that it may hold anything. */
const opaque: ReadonlySet<string> = new Set(["etag", "planEtag", "token", "notary", "pem"]);

/** Every text that got through is fit for the database and a line of a log. */
function assertSpeakable(value: unknown): void {
  if (typeof value === "string") assert.doesNotMatch(value, unspeakable);
  if (value instanceof Map) for (const entry of value) assertSpeakable(entry);
  if (Array.isArray(value)) for (const item of value) assertSpeakable(item);
  else if (typeof value === "object" && value !== null) {
    for (const [name, field] of Object.entries(value)) if (!opaque.has(name)) assertSpeakable(field);
  }
}

describe("any request is read, or refused by naming its fields as the proto spells them:", () => {
  for (const [name, { parse, fields }] of Object.entries(parsers)) {
    test(name, () => {
      const sound = fc.property(fields, (bytes) => {
        try {
          assertSpeakable(parse(bytes));
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          assert.equal(error.reason, "INVALID_FIELD");
          assert.ok(error.fields.length > 0);
          for (const { field } of error.fields) assert.match(field, /^[a-z_]+(\[\d+\])?(\.[a-z_]+)?$/);
        }
      });
      fc.assert(sound, { numRuns: 150 });
    });
  }
});

test("words of a compromise that cannot be shown are one fault and no more", () => {
  const request = TeamServiceService.revokeCertificate.requestDeserialize(
    Buffer.from([16, 3, 122, 5, 26, 3, 226, 128, 174]),
  );
  assert.throws(() => parseRevokeCertificate(request), { reason: "INVALID_FIELD" });
});

test("every RPC of the API is tried here", () => {
  const services = [
    TrustServiceService,
    TeamServiceService,
    DelegationServiceService,
    ExpiryServiceService,
    SignatureServiceService,
    AuditServiceService,
  ];
  const methods = services.flatMap((service) => Object.values(service).map(({ path }) => path.split("/").at(-1)));
  assert.deepEqual(new Set(Object.keys(parsers)), new Set(methods));
});

test("an enum is read by its known numbers only, and UNSPECIFIED is none", () => {
  assert.deepEqual(parseEnum(MemberKind, MemberKind.ROBOT), { ok: true, value: "ROBOT" });
  const unknown = fc.integer().filter((value) => value !== 1 && value !== 2);
  fc.assert(fc.property(unknown, (value) => !parseEnum(MemberKind, value).ok));
});

test("a request with faults is refused once, with all of them and with what is wrong beside them", () => {
  const beside = () => [{ field: "c", fault: "must be better" }];
  const parse = (text: string) =>
    readFields((read) => [read("a", wrong(text)), read("b[1].d", wrong("must be less"))], beside);
  assert.throws(
    () => parse("must be more"),
    (error) => error instanceof Fault && error.fields.map(({ field }) => field).join() === "a,b[1].d,c",
  );
  assert.equal(
    readFields((read) => read("a", right(1)), beside),
    1,
  );
});

test("a mutation without options is made and waited for", () => {
  const { options } = parseDelegate(DelegateRequest.fromPartial({ gun: "dtr.example.org/dev/nginx", team: "qa" }));
  assert.deepEqual(options, ChangeOptions.fromPartial({}));
});

test("a time that is none is refused", () => {
  const request = ListAuditRecordsRequest.fromPartial({ startTime: new Date(Number.NaN) });
  assert.throws(
    () => parseListAuditRecords(request),
    (error) => error instanceof Fault && error.fields.map(({ field }) => field).join() === "start_time",
  );
});
