import assert from "node:assert/strict";
import { test } from "node:test";
import { makeSigner } from "./collection.ts";
import { answer, startPeer } from "./peer.ts";
import { absent, files, gun, never, openServer, releases, root, unavailable, withPeer } from "./peer-client.ts";

const serverKey = JSON.stringify({
  keytype: "ecdsa",
  keyval: { public: makeSigner().key.public.toString("base64"), private: null },
});

test("requests carry the encoded GUN behind the sub-path and ask no cache", async (t) => {
  const { peer } = await withPeer(t, {
    onRequest: (socket, request) => socket.write(answer(200, request.line.includes(".key") ? serverKey : "body")),
  });
  const server = openServer(t, { baseUrl: `${peer.url}/a/b/` });
  assert.equal((await server.readVersion(gun, releases, 3, never))?.toString(), "body");
  await server.readCurrent(gun, root, never);
  assert.equal((await server.readServerKey(gun, "snapshot", never)).toString(), serverKey);
  assert.equal((await server.upload(gun, files, never)).kind, "ACCEPTED");
  const base = "/a/b/v2/dtr.example.org%3A5000/dev/nginx/_trust/tuf";
  assert.deepEqual(
    peer.requests.map((request) => request.line),
    [
      `GET ${base}/3.targets/releases.json HTTP/1.1`,
      `GET ${base}/root.json HTTP/1.1`,
      `GET ${base}/snapshot.key HTTP/1.1`,
      `POST ${base}/ HTTP/1.1`,
    ],
  );
  for (const request of peer.requests.slice(0, 3)) assert.equal(request.headers.get("cache-control"), "no-cache");
  assert.match(peer.requests[3]?.headers.get("content-type") ?? "", /^multipart\/form-data; boundary=/);
  assert.ok(peer.requests[3]?.body.includes('filename="targets/releases"'));
});

test("a kept connection is used again", async (t) => {
  const { peer, server } = await withPeer(t, { onRequest: (socket) => socket.write(absent) });
  for (let time = 0; time < 3; time++) assert.equal(await server.readCurrent(gun, root, never), undefined);
  assert.equal(peer.requests.length, 3);
  assert.equal(peer.connections, 1);
});

test("a refused connection proves that nothing was sent", async (t) => {
  const peer = await startPeer({});
  await peer.close();
  const server = openServer(t, { baseUrl: peer.url });
  assert.deepEqual(await server.upload(gun, files, never), {
    kind: "UNREACHABLE",
    sent: false,
    detail: "the connection was refused",
  });
  await assert.rejects(server.readCurrent(gun, root, never), unavailable(/connection was refused/));
});

test("a reset in the middle of a request may have been sent, is not repeated, and changes the generation", async (t) => {
  const metrics = answer(200, "# HELP\nprocess_start_time_seconds 1.5e+09\nother 1\n");
  const { peer, server } = await withPeer(t, {
    onRequest: (socket, request) =>
      request.line.includes("/metrics") ? socket.write(metrics) : socket.resetAndDestroy(),
  });
  assert.equal(await server.generation(never), "1.5e+09/0");
  const outcome = await server.upload(gun, files, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
  assert.equal(await server.generation(never), "1.5e+09/1");
  await assert.rejects(server.readCurrent(gun, root, never), unavailable(/connection broke/));
  assert.equal(peer.requests.filter((request) => !request.line.includes("/metrics")).length, 2);
});

test("a reset before the whole upload arrived may have been sent, too", async (t) => {
  const { server } = await withPeer(t, { onFirstBytes: (socket) => socket.resetAndDestroy() });
  const large = [{ role: root, bytes: Buffer.alloc(8 * 1024 ** 2, "x") }];
  const outcome = await server.upload(gun, large, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
});

test("a server without metrics has a generation of broken connections only", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(404, "nothing")) });
  assert.equal(await server.generation(never), "unknown/0");
});

test("metrics that cannot be read just now are no restart", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(503, "down")) });
  await assert.rejects(server.generation(never), unavailable(/metrics/));
});

test("a truncated answer is never taken for a file", async (t) => {
  const { server } = await withPeer(t, {
    onRequest: (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
  });
  await assert.rejects(server.readVersion(gun, root, 1, never), unavailable(/connection broke before the answer/));
});

test("an upload whose 200 was cut off is unreachable", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le") });
  assert.equal((await server.upload(gun, files, never)).kind, "UNREACHABLE");
});

test("garbage is no answer", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n") });
  await assert.rejects(server.readVersion(gun, root, 1, never), unavailable(/not HTTP/));
  const outcome = await server.upload(gun, files, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
});

test("a redirect is not followed, wherever it points", async (t) => {
  const other = await startPeer({ onRequest: (socket) => socket.write(answer(200, "stolen")) });
  t.after(() => other.close());
  const { server } = await withPeer(t, {
    onRequest: (socket) => socket.write(answer(307, "", { location: `${other.url}/v2/` })),
  });
  await assert.rejects(server.readCurrent(gun, root, never), unavailable(/redirects are not followed/));
  assert.equal((await server.upload(gun, files, never)).kind, "FAILED");
  assert.equal(other.connections, 0);
});

test("a 200 that holds no key is no server key", async (t) => {
  const empty = '{"keytype":"","keyval":{"public":null,"private":null}}';
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(200, empty)) });
  await assert.rejects(server.readServerKey(gun, "snapshot", never), unavailable(/holds no snapshot key/));
});

test("other bytes than their hash says are refused", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(200, "hello")) });
  const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  assert.equal((await server.readByHash(gun, root, sha256, never))?.toString(), "hello");
  await assert.rejects(server.readByHash(gun, root, sha256.replace("2", "3"), never), unavailable(/other bytes/));
});
