import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
import { type AddressInfo, createServer as createDoor, type Socket } from "node:net";
import { test } from "node:test";
import { Fault } from "../../src/errors.ts";
import { makeFolder, removeFolder } from "../stack/folder.ts";
import { layTls } from "../stack/tls.ts";
import { answer } from "./peer.ts";
import { absent, files, gun, never, openServer, root, unavailable, until, withPeer } from "./peer-client.ts";

test("one thing is asked at a time, first come first served; whether the server was restarted is asked beside", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, {
    onRequest: (socket, request) =>
      request.line.startsWith("POST") ? void held.push(socket) : void socket.write(absent),
  });
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);
  const first = server.upload(gun, files, never).then(note("upload"));
  await until(() => held.length === 1);
  const rest = [
    server.readCurrent(gun, root, never).then(note("current")),
    server.readVersion(gun, root, 1, never).then(note("version")),
    assert.rejects(server.readServerKey(gun, "timestamp", never), unavailable(/no timestamp key/)).then(note("key")),
    server.readByHash(gun, root, "0".repeat(64), never).then(note("hash")),
  ];
  await server.generation(never).then(note("generation"));
  assert.equal(peer.requests.length, 2);
  held[0]?.write(answer(200, ""));
  await Promise.all([first, ...rest]);
  assert.deepEqual(order, ["generation", "upload", "current", "version", "key", "hash"]);
});

test("a read by version that is given up lets the next request go at once", async (t) => {
  const held: Socket[] = [];
  const { server } = await withPeer(t, {
    onRequest: (socket, request) =>
      request.line.includes("/1.root.json") ? void held.push(socket) : void socket.write(answer(200, "")),
  });
  const tired = new AbortController();
  const reading = server.readVersion(gun, root, 1, tired.signal);
  await until(() => held.length === 1);
  const next = server.upload(gun, files, never);
  tired.abort();
  await assert.rejects(reading, { reason: "CANCELLED" });
  assert.equal((await next).kind, "ACCEPTED");
});

test("an upload that is given up while it waits was provably never sent", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) });
  const first = server.upload(gun, files, never);
  await until(() => held.length === 1);
  const tired = new AbortController();
  const waiting = server.upload(gun, files, tired.signal);
  const reading = server.readCurrent(gun, root, tired.signal);
  tired.abort();
  assert.deepEqual(await waiting, {
    kind: "UNREACHABLE",
    sent: false,
    detail: "the upload was given up before it left",
  });
  await assert.rejects(reading, { reason: "CANCELLED" });
  held[0]?.write(answer(200, ""));
  assert.equal((await first).kind, "ACCEPTED");
  assert.equal(peer.requests.length, 1);
});

test("an upload that is given up on its way keeps the next one waiting until the server is through", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) });
  const tired = new AbortController();
  const first = server.upload(gun, files, tired.signal);
  await until(() => held.length === 1);
  tired.abort();
  const outcome = await first;
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
  const next = server.upload(gun, files, never);
  await server.readVersion(gun, root, 1, AbortSignal.timeout(50)).catch(() => undefined);
  assert.equal(peer.requests.filter((request) => request.line.startsWith("POST")).length, 1);
  held[0]?.write(answer(200, ""));
  await until(() => peer.requests.filter((request) => request.line.startsWith("POST")).length === 2);
  held.at(-1)?.write(answer(200, ""));
  assert.equal((await next).kind, "ACCEPTED");
});

test("a read that is given up breaks its connection and passes a Fault on as the reason", async (t) => {
  let hungUp = false;
  const { server } = await withPeer(t, {
    onRequest: (socket) =>
      void socket.once("close", () => {
        hungUp = true;
      }),
  });
  const late = new AbortController();
  const reading = server.readVersion(gun, root, 1, late.signal);
  const reason = new Fault("DEADLINE_EXCEEDED", "too late");
  setTimeout(() => late.abort(reason), 30);
  await assert.rejects(reading, reason);
  await until(() => hungUp);
});

test("with a higher concurrency as many uploads run at once, and no more", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) }, { concurrency: 2 });
  const all = [1, 2, 3].map(() => server.upload(gun, files, never));
  await until(() => held.length === 2);
  held[0]?.write(answer(200, ""));
  await until(() => held.length === 3);
  assert.equal(peer.requests.length, 3);
  held[1]?.write(answer(200, ""));
  held[2]?.write(answer(200, ""));
  assert.deepEqual(
    (await Promise.all(all)).map(({ kind }) => kind),
    ["ACCEPTED", "ACCEPTED", "ACCEPTED"],
  );
});

test("closing breaks what is under way and what waits", async (t) => {
  const held: Socket[] = [];
  const { server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) });
  const sent = server.upload(gun, files, never);
  const waiting = server.upload(gun, files, never);
  await until(() => held.length === 1);
  await server.close();
  assert.equal((await sent).kind, "UNREACHABLE");
  assert.deepEqual(await waiting, { kind: "UNREACHABLE", sent: false, detail: "this service is shutting down" });
});

test("an upload that is given up before it has a connection is never sent, also when the connection comes later", async (t) => {
  const folder = await makeFolder("notary-late");
  t.after(() => removeFolder(folder));
  const { caFile, server: certificate } = await layTls(folder);
  let requests = 0;
  const secure = createServer(
    { cert: await readFile(certificate.certFile), key: await readFile(certificate.keyFile) },
    (request, response) => {
      requests++;
      request.resume().once("end", () => response.end());
    },
  );
  const gate = Promise.withResolvers<void>();
  const door = createDoor({ pauseOnConnect: true }, (socket) => {
    gate.promise.then(() => secure.emit("connection", socket));
  });
  door.listen(0, "127.0.0.1");
  const knocked = once(door, "connection");
  await once(door, "listening");
  t.after(() => {
    secure.closeAllConnections();
    door.close();
  });

  const baseUrl = `https://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const server = openServer(t, { baseUrl, caFile });
  const tired = new AbortController();
  const upload = server.upload(gun, files, tired.signal);
  await knocked;
  tired.abort();
  assert.deepEqual(await upload, { kind: "UNREACHABLE", sent: false, detail: "the request was given up" });
  gate.resolve();
  assert.equal((await server.upload(gun, files, never)).kind, "ACCEPTED");
  assert.equal(requests, 1);
});
