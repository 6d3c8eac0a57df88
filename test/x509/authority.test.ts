import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { createAuthority, type Identity, issueIdentity } from "../../src/x509/authority.ts";
import { isDer } from "../../src/x509/der.ts";

const now = new Date();
const authority = await createAuthority("imagetrust development authority", 3650, now);
const stranger = await createAuthority("imagetrust development authority", 3650, now);
const server = await issueIdentity(
  authority,
  { name: "imagetrust", purposes: ["server"], dns: ["localhost"], ips: ["127.0.0.1", "::1"], days: 365 },
  now,
);
const client = (from: Identity) =>
  issueIdentity(from, { name: "alice", purposes: ["client"], uris: ["imagetrust://user/alice"], days: 365 }, now);

describe("a development authority", () => {
  it("is a certificate that may issue leaves only, valid from a minute ago", () => {
    const certificate = new X509Certificate(authority.certificatePem);
    assert.ok(certificate.ca);
    assert.ok(isDer(certificate.raw));
    assert.equal(certificate.subject, "CN=imagetrust development authority");
    assert.ok(certificate.validFromDate < now);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(authority.privateKeyPem)));
  });

  it("issues a server certificate with its names and addresses", () => {
    const certificate = new X509Certificate(server.certificatePem);
    const issuer = new X509Certificate(authority.certificatePem);
    assert.ok(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey));
    assert.ok(!certificate.ca);
    assert.equal(certificate.subjectAltName, "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(server.privateKeyPem)));
  });

  it("issues a client certificate with a URI, and never with the same serial twice", async () => {
    const [a, b] = [await client(authority), await client(authority)].map(
      (made) => new X509Certificate(made.certificatePem),
    );
    assert.equal(a?.subjectAltName, "URI:imagetrust://user/alice");
    assert.deepEqual(a?.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
    assert.notEqual(a?.serialNumber, b?.serialNumber);
  });

  it("issues nothing that outlives it", async () => {
    const young = await createAuthority("young", 1, now);
    const leaf = await issueIdentity(young, { name: "a", purposes: ["client"], days: 365 }, now);
    const end = new X509Certificate(leaf.certificatePem).validToDate;
    assert.deepEqual(end, new X509Certificate(young.certificatePem).validToDate);
  });

  it("lets its server and its clients meet over mutual TLS, and shuts out another authority's", async () => {
    assert.equal(await meet(await client(authority)), "imagetrust://user/alice");
    await assert.rejects(meet(await client(stranger)));
  });
});

/** What the server sees of a client that connects; rejects when either side refuses the other. */
async function meet(identity: Identity): Promise<string> {
  const listener = createServer({
    cert: server.certificatePem,
    key: server.privateKeyPem,
    ca: authority.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const seen = new Promise<string>((resolve, reject) => {
    listener.once("secureConnection", (socket: TLSSocket) => {
      resolve(String(socket.getPeerX509Certificate()?.subjectAltName).replace("URI:", ""));
      socket.end();
    });
    listener.once("tlsClientError", reject);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const { certificatePem: cert, privateKeyPem: key } = identity;
  const socket = connect({ port, host: "127.0.0.1", ca: authority.certificatePem, cert, key });
  socket.on("error", () => undefined);
  socket.resume();
  try {
    return await seen;
  } finally {
    socket.destroy();
    listener.close();
  }
}
