import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoleName } from "../../src/names.ts";
import { encodeMultipart } from "../../src/notary/multipart.ts";

const role = (name: string) => name as RoleName;

test("a delegation keeps its whole role name as the file name", () => {
  const { body, contentType } = encodeMultipart(
    [{ role: role("targets/releases"), bytes: Buffer.from("{}") }],
    () => "frontier",
  );
  assert.equal(contentType, "multipart/form-data; boundary=frontier");
  assert.equal(
    body.toString(),
    '--frontier\r\nContent-Disposition: form-data; name="files"; filename="targets/releases"\r\n' +
      "Content-Type: application/octet-stream\r\n\r\n{}\r\n--frontier--\r\n",
  );
});

test("an update without files is an empty form", () => {
  assert.equal(encodeMultipart([], () => "frontier").body.toString(), "--frontier--\r\n");
});

test("a boundary that occurs in a file is not taken", () => {
  const boundaries = ["one", "two", "three"];
  const files = [
    { role: role("root"), bytes: Buffer.from("here is one") },
    { role: role("targets"), bytes: Buffer.from("and two") },
  ];
  assert.match(encodeMultipart(files, () => boundaries.shift() ?? "").contentType, /boundary=three$/);
});

test("each upload has a boundary of its own", () => {
  assert.notEqual(encodeMultipart([]).contentType, encodeMultipart([]).contentType);
});

test("a role name cannot forge a header line", () => {
  assert.throws(() => encodeMultipart([{ role: role("x\r\nEvil: yes"), bytes: Buffer.alloc(0) }]), TypeError);
  const quoted = encodeMultipart([{ role: role('a"; b="c'), bytes: Buffer.alloc(0) }]).body.toString();
  assert.ok(quoted.includes('filename="a\\"; b=\\"c"\r\n'));
});

test("another parser reads back any bytes under their roles, in order", async () => {
  const files = fc.array(
    fc.record({
      role: fc.constantFrom("root", "targets", "targets/releases", "targets/qa-1").map(role),
      bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    }),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(files, async (parts) => {
      const { body, contentType } = encodeMultipart(parts);
      const form = await new Response(body, { headers: { "content-type": contentType } }).formData();
      const found = form.getAll("files") as File[];
      assert.deepEqual(
        found.map((file) => [file.name, file.type]),
        parts.map((part) => [part.role, "application/octet-stream"]),
      );
      for (const [index, file] of found.entries()) {
        assert.ok(parts[index]?.bytes.equals(Buffer.from(await file.arrayBuffer())));
      }
    }),
    { numRuns: 50 },
  );
});
