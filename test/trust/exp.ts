import { randomUUID } from "node:crypto";
import { openHouse, makeTeam, initialize, delegateTo } from "./house.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { targetsPayload, envelopeOf } from "../../src/tuf/payload.ts";
import { openSealedBackend } from "../../src/signing/sealed.ts";
import { parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";

import pg from "pg";
const counts = new Map<string, number>();
const q = pg.Client.prototype.query as any;
(pg.Client.prototype as any).query = function (a: any, ...r: any[]) { const t = (typeof a === "string" ? a : a.text).replace(/\s+/g, " ").slice(0, 90); counts.set(t, (counts.get(t) ?? 0) + 1); return q.call(this, a, ...r); };
const house = await openHouse({ logLevel: "warn" });
const signal = new AbortController().signal;
const N = 8, R = 12;
for (let t = 0; t < R + 1; t++) await makeTeam(house.core, `t${t}`);
for (let g = 0; g < N; g++) await initialize(house.core, `dtr.example.org/ours/g${g}`, ["t0"]);
for (let g = 0; g < N; g++) await initialize(house.core, `dtr.example.org/bare/g${g}`, ["t0"]);
console.log("ready");
const kek = parseKeyEncryptionKey(house.kek); if (!kek.ok) throw 1;
const backend = openSealedBackend(house.database, kek.value, "test");
// bare: ready-signed
const server = openNotaryServers([{ name: "main", baseUrl: house.notary.url, registryHosts: ["*"], caFile: house.notary.caFile }]).byName("main");
async function readySigned(rounds: number, from: number) {
  const ready: { gun: string; bytes: Buffer }[] = [];
  for (let r = 0; r < rounds; r++) for (let g = 0; g < N; g++) {
    const gun = `dtr.example.org/bare/g${g}`;
    const row = await house.database.row<any>("select p.bytes, c.id, k.canonical_key_id, k.tuf_key_id from published_parts p join collections c on c.id=p.collection_id join collection_keys k on k.collection_id=c.id and k.role='targets' where c.gun=:gun and p.role='targets' order by p.version desc limit 1", { gun });
    const content = parseTargets(row.bytes).content;
    const payload = targetsPayload({ ...content, version: content.version + from + r + 1 });
    const sig = await backend.sign(row.canonical_key_id, payload, signal);
    ready.push({ gun, bytes: envelopeOf(payload, [{ keyId: row.tuf_key_id, method: "ecdsa", sig }]) });
  }
  return ready;
}
for (let round = 0; round < 3; round++) {
  const ready = await readySigned(4, round * 4);
  let t0 = performance.now();
  for (const one of ready) { const a = await server.upload(one.gun as any, [{ role: "targets" as any, bytes: one.bytes }], signal); if (a.kind !== "ACCEPTED") console.log(a); }
  const bare = (performance.now() - t0) / ready.length;
  t0 = performance.now();
  counts.clear();
  const cpu0 = process.cpuUsage();
  await Promise.all(Array.from({ length: N }, async (_, g) => {
    for (let r = 0; r < 4; r++) { const o = await delegateTo(house.core, `dtr.example.org/ours/g${g}`, `t${1 + round * 4 + r}`); if (o.outcome.state !== "PUBLISHED") console.log(o.outcome); }
  }));
  const ours = (performance.now() - t0) / (N * 4);
  const cpu = process.cpuUsage(cpu0);
  if (round === 2) { let n = 0; for (const [t, c] of [...counts].sort((x, y) => y[1] - x[1])) { n += c; console.log((c / (N * 4)).toFixed(2), t); } console.log("total", n / (N * 4)); }
  console.log({ bareMs: bare, oursMs: ours, ratio: bare / ours, cpuMsPer: (cpu.user + cpu.system) / 1000 / (N * 4) });
}
await house.stop();
process.exit(0);
