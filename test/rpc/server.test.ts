import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import type { TeamServiceClient } from "../../gen/imagetrust/v1/team.ts";
import { createAuthority, type Identity, issueIdentity } from "../../src/x509/authority.ts";
import { until } from "./fixtures.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ handlers: { getTeam: () => Promise.resolve({ team: undefined }) } });
});
after(() => server.stop());

function getTeam(client: TeamServiceClient): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.getTeam({ team: "qa" }, { deadline: Date.now() + 3_000 } as never, (error: ServiceError | null) =>
      error ? reject(error) : resolve("answered"),
    );
  });
}

test("the first call after the port is open is answered", async () => {
  assert.equal(await getTeam(server.client()), "answered");
});

test("a client without a certificate gets no connection, and is counted and logged", async () => {
  const client = new Client(server.address, server.credentialsOf(undefined), { "grpc.use_local_subchannel_pool": 1 });
  after(() => client.close());
  await assert.rejects(
    new Promise((resolve, reject) =>
      client.waitForReady(Date.now() + 500, (error) => (error ? reject(error) : resolve(1))),
    ),
  );
  await until(() => server.counted.includes("refused no_certificate"));
  const lines = server.lines.map((line) => JSON.parse(line)).filter(({ reason }) => reason === "no_certificate");
  assert.deepEqual([lines[0]?.level, lines[0]?.message], ["warn", "a connection was refused"]);
  assert.match(lines[0]?.peer, /127\.0\.0\.1$/);
});

test("a client whose certificate another authority issued gets no connection, and is counted", async () => {
  const other = await createAuthority("another authority", 1, new Date());
  const foreign = await issueIdentity(other, { name: "admin", purposes: ["client"], days: 1 }, new Date());
  await assert.rejects(getTeam(server.client(foreign)), { code: status.UNAVAILABLE });
  await until(() => server.counted.includes("refused untrusted_certificate"));
});

test("a server's certificate is no client certificate", async () => {
  await assert.rejects(getTeam(server.client(server.server)), { code: status.UNAVAILABLE });
});

test("a certificate that names nobody is UNAUTHENTICATED", async () => {
  const nameless = await server.issue("");
  await assert.rejects(getTeam(server.client(nameless)), { code: status.UNAUTHENTICATED });
  assert.ok(server.counted.includes("ended GetTeam UNAUTHENTICATED"));
});

test("TLS below 1.2 is refused", async () => {
  const outcome = await tlsOutcome({ maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" });
  assert.match(outcome, /protocol version|unsupported/i);
});

test("a client that does not speak HTTP/2 is refused", async () => {
  assert.equal(await tlsOutcome({ ALPNProtocols: [] }), "closed");
  await until(() => server.counted.includes("refused not_http2"));
});

test("random bytes and garbage after the handshake are counted, logged at a bounded rate and harm nobody", async () => {
  const client = server.client();
  await getTeam(client);
  const lines = server.lines.length;
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const socket = connect(server.running.port, "127.0.0.1");
      socket.on("error", () => undefined).resume();
      socket.write(index % 2 === 0 ? Buffer.alloc(20_000, index + 1) : "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
      await new Promise((resolve) => socket.once("close", resolve));
    }),
  );
  assert.equal(await tlsOutcome({ ALPNProtocols: ["h2"] }, Buffer.alloc(5_000, 7)), "closed");
  assert.ok(server.counted.filter((line) => line === "refused not_tls").length >= 30);
  assert.ok(server.lines.slice(lines).filter((line) => line.includes("a connection was refused")).length <= 10);
  assert.equal(await getTeam(client), "answered");
});

test("who connects and says nothing is cut off", async () => {
  const impatient = await startTestServer({ server: { handshakeTimeoutMs: 50 } });
  after(() => impatient.stop());
  const silent = connect(impatient.running.port, "127.0.0.1")
    .on("error", () => undefined)
    .resume();
  await new Promise((resolve) => silent.once("close", resolve));
  assert.ok(impatient.counted.includes("refused timeout"));
});

test("HTTP/2 that is no gRPC is refused", async () => {
  const session = connectHttp2(`https://${server.address}`, { ...tlsOf(server.admin), ALPNProtocols: ["h2"] });
  const answer = await new Promise((resolve) => session.request({ ":path": "/" }).on("response", resolve).end());
  assert.equal((answer as Record<string, unknown>)[":status"], 415);
  session.close();
});

test("new certificates and authorities are taken up without a restart; a pair that does not fit is not", async () => {
  const reloading = await startTestServer({ handlers: { getTeam: () => Promise.resolve({ team: undefined }) } });
  after(() => reloading.stop());
  const old = reloading.client();
  await getTeam(old);
  const authority = await createAuthority("the next authority", 2, new Date());
  const next = await issueIdentity(
    authority,
    { name: "server", purposes: ["server"], dns: ["localhost"], days: 1 },
    new Date(),
  );
  const admin = await issueIdentity(authority, { name: "admin", purposes: ["client"], days: 1 }, new Date());

  writeFileSync(reloading.files.certFile, next.certificatePem);
  await until(() => reloading.counted.includes("certificates kept"));
  assert.match(reloading.lines.join(), /is not the key of the certificate/);
  assert.equal(await getTeam(reloading.client()), "answered");

  writeFileSync(reloading.files.keyFile, next.privateKeyPem);
  writeFileSync(reloading.files.clientCaFile, authority.certificatePem);
  await reloading.certificates.reload();
  const Team = old.constructor as new (...args: unknown[]) => TeamServiceClient;
  const anew = new Team(
    reloading.address,
    credentials.createSsl(
      Buffer.from(authority.certificatePem),
      Buffer.from(admin.privateKeyPem),
      Buffer.from(admin.certificatePem),
    ),
  );
  after(() => anew.close());
  assert.equal(await getTeam(anew), "answered");
  assert.equal(await getTeam(old), "answered", "an open connection goes on");
  const stale = await tlsOutcome({ ALPNProtocols: ["h2"], rejectUnauthorized: false }, Buffer.alloc(0), reloading);
  assert.equal(stale, "closed", "the old authority counts no more, also not by resumption");
});

function tlsOf(identity: Identity): ConnectionOptions {
  return {
    ca: server.authority.certificatePem,
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
  };
}

/** Connects with the admin's certificate, writes something and says how it ended: `closed`, or the error's message. */
function tlsOutcome(options: ConnectionOptions, bytes = Buffer.alloc(0), to = server): Promise<string> {
  return new Promise((resolve) => {
    const tls = { ca: to.authority.certificatePem, cert: to.admin.certificatePem, key: to.admin.privateKeyPem };
    const socket = connectTls({ host: "localhost", port: to.running.port, ...tls, ...options });
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "ECONNRESET" ? "closed" : error.message),
    );
    socket.once("close", () => resolve("closed"));
    socket.once("secureConnect", () => socket.write(bytes));
    socket.resume();
  });
}
