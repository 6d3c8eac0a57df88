import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { status } from "@grpc/grpc-js";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { type Line, startScriptedService } from "./scripted-service.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
const published: Line = { state: PublicationState.PUBLISHED };

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly requestIds: readonly string[];
}

/** Runs the TypeScript example against a service that answers by the script. */
async function runExample(...script: readonly Line[]): Promise<Ended> {
  const service = await startScriptedService(script);
  try {
    const args = [`${examples}typescript/delegate.ts`, "dtr.example.org/dev/nginx", "qa"];
    const env = { PATH: process.env["PATH"], ...service.environment };
    return await new Promise((resolve) => {
      execFile(process.execPath, args, { env, timeout: 60_000 }, (error, out, err) =>
        resolve({ code: Number(error?.code ?? 0), out, err, requestIds: service.requestIds }),
      );
    });
  } finally {
    service.stop();
  }
}

test("the TypeScript example initializes, delegates and ends well when both are live", async () => {
  const { code, out, requestIds } = await runExample(published, { state: PublicationState.UNCHANGED });
  assert.equal(code, 0);
  assert.match(out, /InitializeTrust: PUBLISHED\nDelegate: UNCHANGED\n/);
  assert.equal(new Set(requestIds).size, 2, "each change has a request id of its own");
});

test("the TypeScript example repeats an unavailable call under the same request id", async () => {
  const unavailable = { code: status.UNAVAILABLE, reason: "NOTARY_UNAVAILABLE" };
  const { code, requestIds } = await runExample(unavailable, published, published);
  assert.equal(code, 0);
  assert.equal(requestIds.length, 3);
  assert.match(requestIds[0] ?? "", /^[0-9a-f-]{36}$/);
  assert.equal(requestIds[0], requestIds[1]);
});

test("the TypeScript example tells accepted from live", async () => {
  const { code, out } = await runExample(published, { state: PublicationState.PENDING });
  assert.equal(code, 3);
  assert.match(out, /Delegate: PENDING/);
});

test("the TypeScript example prints the reason and the fields of a refusal", async () => {
  const { code, err } = await runExample({ code: status.INVALID_ARGUMENT, reason: "INVALID_FIELD", field: "gun" });
  assert.equal(code, 1);
  assert.match(err, /reason: INVALID_FIELD\n {2}gun: must be better/);
});

test("the Python example compiles", { skip: isMissing("python3") }, () => {
  const program = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
  const { status: code, stderr } = spawnSync("python3", ["-c", program, `${examples}python/delegate.py`]);
  assert.equal(code, 0, String(stderr));
});

test("the Go example parses and is formatted", { skip: isMissing("gofmt") }, () => {
  const { status: code, stdout, stderr } = spawnSync("gofmt", ["-l", `${examples}go/main.go`]);
  assert.equal(code, 0, String(stderr));
  assert.equal(String(stdout), "");
});

function isMissing(tool: string): string | false {
  const found = spawnSync(tool, ["--help"]).error === undefined;
  return found ? false : `${tool} is not here`;
}
