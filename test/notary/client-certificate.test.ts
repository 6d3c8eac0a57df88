import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Gun } from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { layTls } from "../stack/tls.ts";

const folder = mkdtempSync(join(tmpdir(), "imagetrust-notary-mtls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const tls = await layTls(folder);
const gun = "dtr.example.org/dev/nginx" as Gun;
const never = new AbortController().signal;

const strict = createServer(
  {
    ca: readFileSync(tls.caFile),
    cert: readFileSync(tls.server.certFile),
    key: readFileSync(tls.server.keyFile),
    requestCert: true,
    rejectUnauthorized: true,
  },
  (request, response) => request.resume().once("end", () => response.end()),
);
strict.listen(0, "127.0.0.1");
await once(strict, "listening");
after(() => {
  strict.closeAllConnections();
  strict.close();
});
const baseUrl = `https://127.0.0.1:${(strict.address() as AddressInfo).port}`;

test("a server that asks for a client certificate gets the configured one", async () => {
  const servers = openNotaryServers([
    {
      ...{ name: "main", baseUrl, registryHosts: ["*"], caFile: tls.caFile },
      ...{ clientCertFile: tls.signerClient.certFile, clientKeyFile: tls.signerClient.keyFile },
    },
  ]);
  after(() => servers.close());
  assert.deepEqual(await servers.byName("main").upload(gun, [], never), { kind: "ACCEPTED" });
});

test("without one the server cannot be reached", async () => {
  const servers = openNotaryServers([{ name: "main", baseUrl, registryHosts: ["*"], caFile: tls.caFile }]);
  after(() => servers.close());
  assert.equal((await servers.byName("main").upload(gun, [], never)).kind, "UNREACHABLE");
});

test("a name that the server's certificate does not bear is not believed", async () => {
  const elsewhere = baseUrl.replace("127.0.0.1", "127.0.0.2");
  const everywhere = createServer(
    { cert: readFileSync(tls.server.certFile), key: readFileSync(tls.server.keyFile) },
    (_request, response) => response.end(),
  );
  everywhere.listen(0, "127.0.0.2");
  await once(everywhere, "listening");
  const url = new URL(elsewhere);
  url.port = String((everywhere.address() as AddressInfo).port);
  const servers = openNotaryServers([{ name: "main", baseUrl: url.href, registryHosts: ["*"], caFile: tls.caFile }]);
  after(() => servers.close());
  assert.deepEqual(await servers.byName("main").upload(gun, [], never), {
    kind: "UNREACHABLE",
    sent: false,
    detail: "its TLS certificate is for another host name",
  });
  everywhere.close();
});
