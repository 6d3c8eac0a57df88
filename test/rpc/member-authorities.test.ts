import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openMemberAuthorities } from "../../src/rpc/member-authorities.ts";
import { daysFrom, makeCertificate } from "../x509/make-certificate.ts";
import { listPem, makeRevocationList } from "../x509/make-revocation-list.ts";
import { collectedLog, noMetrics, until } from "./fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "imagetrust-member-authorities-"));
after(() => rmSync(directory, { recursive: true }));
const now = new Date();
const root = makeCertificate(now, { name: "root", authority: true });

function write(name: string, content: string | Buffer): string {
  const file = join(directory, name);
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
  return file;
}

test("authorities that cannot be used are refused at the start, every fault named", async () => {
  const files = { bundleFile: write("broken.pem", "nothing"), listFiles: [write("broken.crl", "no list")] };
  await assert.rejects(openMemberAuthorities(files, collectedLog().log, noMetrics), (error: Error) => {
    assert.match(error.message, /there is no PEM certificate/);
    assert.match(error.message, /holds no certificate revocation list/);
    return true;
  });
  const missing = { bundleFile: join(directory, "missing.pem"), listFiles: [] };
  await assert.rejects(openMemberAuthorities(missing, collectedLog().log, noMetrics), /missing\.pem cannot be read/);
});

test("changed files are taken up by themselves; a broken set is told and the last good one goes on", async () => {
  const [reloads, ends]: [string[], Date[]] = [[], []];
  const { log, lines } = collectedLog();
  const metrics = {
    ...noMetrics,
    authoritiesReloaded: (result: string) => void reloads.push(result),
    revocationListEnds: (at: Date) => void ends.push(at),
  };
  const listEnd = new Date(Math.floor(daysFrom(now, 6).getTime() / 1_000) * 1_000);
  const list = makeRevocationList(now, root, { to: listEnd });
  const files = { bundleFile: write("ca.pem", root.pem), listFiles: [write("ca.crl", listPem(list))] };
  const source = await openMemberAuthorities(files, log, metrics, 3_600_000);
  after(() => source.close());
  assert.deepEqual([source.current.lists?.length, ends], [1, [listEnd]]);
  write("ca.crl", makeRevocationList(now, root, { serials: ["2b"] }));
  await until(() => source.current.lists?.[0]?.serials.has("2b") === true);
  write("ca.pem", root.pem.slice(0, 100));
  await until(() => reloads.at(-1) === "kept");
  assert.equal(source.current.anchors.length, 1, "the last good set");
  assert.match(lines.join(), /kept the old member authorities/);
  write("ca.pem", root.pem + makeCertificate(now, { name: "next", authority: true }).pem);
  write("ca.crl", makeRevocationList(now, root, { from: daysFrom(now, -9), to: daysFrom(now, -1) }));
  await source.reload();
  assert.equal(source.current.anchors.length, 2);
  assert.match(lines.join(), /a revocation list of a member authority has ended/);
});
