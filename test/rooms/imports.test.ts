import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "imagetrust-rooms-"));
after(() => rmSync(folder, { recursive: true }));

/** One import for each room that the order of the house forbids, and one that it allows. */
const rooms: Readonly<Record<string, readonly [forbidden: string, allowed: string]>> = {
  tuf: ["../database.ts", "node:crypto"],
  x509: ["../tuf/key.ts", "@peculiar/x509"],
  signing: ["../trust/prepare.ts", "../tuf/key.ts"],
  notary: ["../teams/team.ts", "undici"],
  audit: ["../teams/team.ts", "../database.ts"],
  changes: ["../trust/prepare.ts", "../audit/call.ts"],
  teams: ["../trust/prepare.ts", "../changes/plan.ts"],
  trust: ["../rpc/edge.ts", "../teams/effects.ts"],
  "trust/publisher": ["../../rpc/edge.ts", "../collection-store.ts"],
  rpc: ["../config.ts", "@grpc/grpc-js"],
  cli: ["../database.ts", "@grpc/grpc-js"],
};
const withoutGrpc = ["tuf", "x509", "notary", "audit", "changes", "teams", "trust"];

/** Lints a house of probes with the project's own rules, and answers the files in which an import was refused. */
function refusedProbes(): ReadonlySet<string> {
  const { vcs: _vcs, $schema: _schema, ...config } = JSON.parse(readFileSync(join(root, "biome.json"), "utf8"));
  writeFileSync(join(folder, "biome.json"), JSON.stringify({ ...config, root: true }));
  const probe = (room: string, name: string, specifier: string): void => {
    mkdirSync(join(folder, "src", room), { recursive: true });
    writeFileSync(join(folder, "src", room, `${name}.ts`), `import "${specifier}";\n`);
  };
  for (const [room, [forbidden, allowed]] of Object.entries(rooms)) {
    probe(room, "forbidden", forbidden);
    probe(room, "allowed", allowed);
  }
  for (const room of withoutGrpc) probe(room, "grpc", "@grpc/grpc-js");
  const { stdout, stderr } = spawnSync(
    join(root, "node_modules/.bin/biome"),
    ["lint", "--only=style/noRestrictedImports", "--max-diagnostics=none", "src"],
    { cwd: folder, encoding: "utf8" },
  );
  return new Set(
    [...`${stdout}${stderr}`.matchAll(/src\/([\w/]+)\.ts:\d+:\d+ lint\/style/g)].map(([, name = ""]) => name),
  );
}

const refused = refusedProbes();

for (const [room, [forbidden, allowed]] of Object.entries(rooms)) {
  test(`src/${room} may import ${allowed} and not ${forbidden}`, () => {
    assert.ok(refused.has(`${room}/forbidden`));
    assert.ok(!refused.has(`${room}/allowed`));
  });
}

test("grpc-js is known at the edge and in the client only", () => {
  for (const room of withoutGrpc) assert.ok(refused.has(`${room}/grpc`), room);
});
