/**
 * Signs a tag into delegation files with any key, asking nobody whether it may, and posts them to Notary as they are:
 * node post-raw.ts CONFIG CERT KEY GUN TAG MANIFEST ROLE...
 * Prints what Notary answers; exits 0 only if it accepts.
 */
import { createHash, createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "undici";
import type { RoleName } from "../../src/names.ts";
import { encodeMultipart } from "../../src/notary/multipart.ts";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, type TargetsContent, targetsPayload } from "../../src/tuf/payload.ts";

const [configFile = "", certFile = "", keyFile = "", gun = "", tag = "", manifestFile = "", ...roles] =
  process.argv.slice(2);
const server = (JSON.parse(readFileSync(configFile, "utf8")) as Config).remote_server;
const notary = new Agent({ connect: { ca: readFileSync(server.root_ca) } });
const keyId = tufKeyIdOf(certificateKey(readFileSync(certFile, "utf8")));
const privateKey = createPrivateKey(readFileSync(keyFile));

interface Config {
  readonly remote_server: { readonly url: string; readonly root_ca: string };
}

async function newestOf(role: string): Promise<TargetsContent> {
  const { statusCode, body } = await request(`${server.url}/v2/${gun}/_trust/tuf/${role}.json`, { dispatcher: notary });
  const bytes = Buffer.from(await body.arrayBuffer());
  if (statusCode === 200) return parseTargets(bytes).content;
  return { version: 0, expires: new Date(), targets: new Map(), keys: [], roles: [] };
}

function signTagInto(newest: TargetsContent): Buffer {
  const manifest = readFileSync(manifestFile);
  const hashes = new Map([["sha256", createHash("sha256").update(manifest).digest()]]);
  const payload = targetsPayload({
    ...newest,
    version: newest.version + 1,
    expires: new Date(Date.now() + 365 * 86_400_000),
    targets: new Map([...newest.targets, [tag, { length: manifest.length, hashes, custom: undefined }]]),
  });
  const sig = sign("sha256", payload, { key: privateKey, dsaEncoding: "ieee-p1363" });
  return envelopeOf(payload, [{ keyId, method: "ecdsa", sig }]);
}

const files = await Promise.all(
  roles.map(async (role) => ({ role: role as RoleName, bytes: signTagInto(await newestOf(role)) })),
);
const { contentType, body } = encodeMultipart(files);
const url = `${server.url}/v2/${gun}/_trust/tuf/`;
const answer = await request(url, {
  method: "POST",
  headers: { "content-type": contentType },
  body,
  dispatcher: notary,
});
console.log(`POST ${url} with ${roles.join(" and ")}, signed by ${keyId}`);
console.log(`${answer.statusCode} ${(await answer.body.text()).trim()}`);
process.exitCode = answer.statusCode === 200 ? 0 : 1;
await notary.close();
