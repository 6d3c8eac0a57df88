import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { Command } from "commander";
import { addSettings } from "../../src/cli/settings.ts";
import { settings } from "../../src/settings.ts";
import { projectRoot } from "../stack/folder.ts";
import { compose, mountsOf, type Service, serviceOf } from "./compose.ts";
import { execForm, finalStageOf, lastOf, readStages } from "./dockerfile.ts";

const services = Object.entries(compose.services);
const isOwnImage = (service: Service) => service.image === "imagetrust:local";

test("docker-compose.yml is valid by the schema of the Compose specification", () => {
  const schema = JSON.parse(readFileSync(join(projectRoot, "third_party/compose-spec/compose-spec.json"), "utf8"));
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  // The schema names its own language by https, under which ajv does not know it.
  const validate = ajv.compile({ ...(schema as object), $schema: "http://json-schema.org/draft-07/schema#" });
  validate(compose);
  assert.deepEqual(validate.errors ?? [], []);
});

test("every path of this project that it mounts or builds is there, and so is every stage it builds", () => {
  const mounted = services.flatMap(([, it]) => mountsOf(it).map(({ source }) => source));
  const paths = mounted.filter((source) => source.startsWith("."));
  assert.deepEqual(paths, ["./deploy/postgres", "./deploy/notary"]);
  for (const path of paths) assert.ok(statSync(join(projectRoot, path)).isDirectory(), path);
  const built = services.flatMap(([, { build }]) => (build === undefined ? [] : [build]));
  for (const build of built) {
    const { context, target } = typeof build === "string" ? { context: build, target: "" } : build;
    const stages = readStages(join(context, "Dockerfile"));
    assert.ok(target === "" || stages.some(({ alias }) => alias === target), `${context} has no stage ${target}`);
    assert.ok(stages.length > 0);
  }
});

test("every volume that is mounted is declared, and the other way round", () => {
  const mounted = services.flatMap(([, it]) => mountsOf(it).map(({ source }) => source));
  const named = new Set(mounted.filter((source) => !source.startsWith(".")));
  assert.deepEqual(named, new Set(Object.keys(compose.volumes)));
});

test("every variable given to imagetrust is a setting of the service, and to cli one of the command", () => {
  const ofCommand = addSettings(new Command()).options.map(({ envVar }) => envVar);
  const given = services.filter(([, it]) => isOwnImage(it)).map(([name, it]) => [name, it.environment ?? {}] as const);
  const known: Readonly<Record<string, readonly (string | undefined)[]>> = {
    prepare: ["PUBLIC_HOST"],
    cli: ofCommand,
    migrate: Object.keys(settings.shape).filter((name) => name.startsWith("IMAGETRUST_MIGRATION_")),
    imagetrust: Object.keys(settings.shape),
  };
  assert.deepEqual(new Set(given.map(([name]) => name)), new Set(Object.keys(known)));
  for (const [name, environment] of given) {
    for (const variable of Object.keys(environment)) assert.ok(known[name]?.includes(variable), `${name}: ${variable}`);
  }
});

test("no service is told a secret: what is one reaches it as a file", () => {
  const secrets = Object.entries(settings.shape).filter(([, it]) => it.meta()?.["secret"] === true);
  assert.ok(secrets.length >= 3);
  const told = services.flatMap(([, it]) => Object.keys(it.environment ?? {}));
  for (const [name] of secrets) assert.ok(!told.includes(name), name);
  assert.deepEqual(
    told.filter((name) => /PASSWORD|SECRET|TOKEN/.test(name)),
    ["POSTGRES_PASSWORD_FILE"],
  );
});

test("every service but PostgreSQL's has a read-only root file system, and no capability but prepare's one", () => {
  for (const [name, service] of services) {
    if (name === "postgres") continue;
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.deepEqual(service.cap_add, name === "prepare" ? ["CHOWN"] : undefined, name);
    // The one place the image writes to: Node's cache of compiled code.
    assert.deepEqual(service.tmpfs, isOwnImage(service) ? ["/tmp"] : undefined, name);
  }
  assert.equal(serviceOf("prepare").network_mode, "none");
});

test("volumes with secrets are written by prepare alone, and each is read by one consumer; the authority's key by none", () => {
  const readers = new Map<string, string[]>();
  for (const [name, service] of services) {
    for (const { source, readOnly } of mountsOf(service)) {
      if (!source.endsWith("-secrets") || name === "prepare") continue;
      assert.ok(readOnly, `${name} may write to ${source}`);
      readers.set(source, [...(readers.get(source) ?? []), name]);
    }
  }
  assert.deepEqual(Object.fromEntries(readers), {
    "postgres-secrets": ["postgres"],
    "migrate-secrets": ["migrate"],
    "imagetrust-secrets": ["imagetrust"],
    "notary-signer-secrets": ["notary-signer"],
    "notary-server-secrets": ["notary-server"],
    "client-secrets": ["cli"],
  });
  assert.ok(mountsOf(serviceOf("prepare")).some(({ source }) => source === "ca-secrets"));
});

test("every port is published on loopback only", () => {
  const ports = services.flatMap(([, it]) => it.ports ?? []);
  assert.equal(ports.length, 3);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
});

test("imagetrust runs the image's own command, health check and user, once the schema and Notary are there", () => {
  const { command, entrypoint, healthcheck, user, depends_on } = serviceOf("imagetrust");
  assert.deepEqual([command, entrypoint, healthcheck, user], [undefined, undefined, undefined, undefined]);
  assert.equal(depends_on?.["migrate"]?.condition, "service_completed_successfully");
  assert.equal(depends_on?.["notary-server"]?.condition, "service_healthy");
  const dependencies = services.flatMap(([, it]) => Object.entries(it.depends_on ?? {}));
  for (const [name, { condition }] of dependencies) {
    const { healthcheck: check, restart } = serviceOf(name);
    assert.equal(restart, condition === "service_healthy" ? "unless-stopped" : undefined, name);
    assert.ok(condition !== "service_healthy" || (check?.test?.length ?? 0) > 0, `${name} has no health check`);
  }
});

test("the command of the image is the one that the quickstart's stack runs", () => {
  const [program, ...args] = execForm(lastOf(finalStageOf(readStages("Dockerfile")), "CMD"));
  const stack = readFileSync(join(projectRoot, "scripts/stack/service.ts"), "utf8");
  assert.ok(existsSync(join(projectRoot, program ?? "")));
  assert.ok(stack.includes(`program: join(projectRoot, "${program}"),\n    args: ${JSON.stringify(args)},`));
});
