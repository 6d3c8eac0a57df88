import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { MethodDefinition } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { makeFolder, projectRoot, removeFolder } from "../stack/folder.ts";

let folder: string;
let today: readonly string[];

before(async () => {
  folder = await makeFolder("descriptors");
  const image = join(folder, "today.binpb");
  const args = ["build", "--path", "proto/imagetrust", "--exclude-source-info", "--output", image];
  const env = { ...process.env, HOME: folder, BUF_CACHE_DIR: folder };
  await promisify(execFile)(join(projectRoot, "node_modules/.bin/buf"), args, { cwd: projectRoot, env });
  today = await namesIn(image);
});
after(() => removeFolder(folder));

interface Described {
  readonly type: { readonly field?: readonly Field[]; readonly value?: readonly { readonly name: string }[] };
}
interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly typeName: string;
}

/** Every method, message, field, enum and enum value of the API in a FileDescriptorSet, with what decides its encoding. */
async function namesIn(image: string): Promise<readonly string[]> {
  const described = Object.entries(loadFileDescriptorSetFromBuffer(await readFile(image)));
  return described
    .filter(([name]) => name.startsWith("imagetrust.v1."))
    .flatMap(([name, one]) => {
      if (!("format" in one))
        return Object.values(one as Record<string, MethodDefinition<object, object>>).map(wordsOnMethod);
      const { field = [], value = [] } = (one as unknown as Described).type;
      const fields = field.map((each) => `${name}.${each.name} = ${each.number} ${each.type} ${each.typeName}`);
      return [name, ...fields, ...value.map((each) => `${name} ${each.name}`)];
    })
    .sort();
}

function wordsOnMethod({ path, requestStream, responseStream }: MethodDefinition<object, object>): string {
  return `${path} ${requestStream} ${responseStream}`;
}

test("the protos of today have services, messages, fields and enums", () => {
  assert.ok(today.includes("/imagetrust.v1.TrustService/GetTrust false false"));
  assert.ok(today.some((name) => name.startsWith("imagetrust.v1.GetTrustRequest.gun = 1 ")));
  assert.ok(today.includes("imagetrust.v1.ErrorReason ERROR_REASON_NOT_PERMITTED"));
});

test("what reflection serves is the protos of today", async () => {
  assert.deepEqual(await namesIn(join(projectRoot, "gen/imagetrust.v1.binpb")), today, "run npm run gen");
});

test("the image that breaking changes are held against knows everything of the protos of today", async () => {
  const known = new Set(await namesIn(join(projectRoot, "proto/imagetrust.v1.binpb")));
  const missing = today.filter((name) => !known.has(name));
  assert.deepEqual(missing, [], "bring proto/imagetrust.v1.binpb up to date, as CONTRIBUTING.md says");
});
