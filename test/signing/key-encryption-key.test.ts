import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { parseKeyEncryptionKey, readKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { makeFolder, removeFolder } from "../stack/folder.ts";

const folder = await makeFolder("kek");
after(() => removeFolder(folder));
let files = 0;
async function fileOf(content: Buffer | string, mode = 0o600): Promise<string> {
  const path = join(folder, `kek-${++files}`);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

const bytes = Buffer.from("8f3a0c77d1e2554b9a6f00e1c2d3b4a5968778695a4b3c2d1e0f102132435465", "hex");

describe("a key-encryption key", () => {
  it("is the same from base64, base64url, hex and a raw file, and so is its id", async () => {
    const texts = [
      bytes.toString("base64"),
      bytes.toString("base64url"),
      bytes.toString("hex"),
      ` ${bytes.toString("hex")}\n`,
    ];
    const read = [
      ...texts.map(parseKeyEncryptionKey),
      await readKeyEncryptionKey(await fileOf(bytes)),
      await readKeyEncryptionKey(await fileOf(`${bytes.toString("base64")}\n`, 0o400)),
    ];
    for (const parsed of read) {
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value.key.export(), bytes);
      assert.equal(parsed.value.id, "417c1a7975c6e2ca");
    }
  });

  it("has an id that differs from key to key", () => {
    const ids = [0, 1, 2].map(() => {
      const parsed = parseKeyEncryptionKey(randomBytes(32).toString("hex"));
      return parsed.ok ? parsed.value.id : "";
    });
    assert.equal(new Set(ids).size, 3);
  });

  const wrong = [
    "",
    "secret",
    bytes.toString("hex").slice(2),
    bytes.subarray(1).toString("base64"),
    `${bytes.toString("hex")}00`,
  ];
  for (const text of wrong) {
    it(`is refused as text of the wrong form: ${text.length} characters`, async () => {
      for (const parsed of [parseKeyEncryptionKey(text), await readKeyEncryptionKey(await fileOf(text))]) {
        assert.ok(!parsed.ok);
        assert.match(parsed.fault, /32 random bytes/);
        assert.ok(text.length < 6 || !parsed.fault.includes(text));
      }
    });
  }

  it("is refused when it is no random one: all bytes alike, or 32 typed characters", async () => {
    assert.ok(!parseKeyEncryptionKey("00".repeat(32)).ok);
    assert.ok(!(await readKeyEncryptionKey(await fileOf("correct horse battery staple !!!"))).ok);
    assert.ok(!(await readKeyEncryptionKey(await fileOf(bytes.toString("hex").slice(32)))).ok);
  });

  it("is refused from a file that group or others may read, write or enter", async () => {
    for (const mode of [0o640, 0o604, 0o660, 0o644, 0o610]) {
      const parsed = await readKeyEncryptionKey(await fileOf(bytes, mode));
      assert.ok(!parsed.ok, mode.toString(8));
      assert.match(parsed.fault, /only its owner may read; set its mode/);
    }
  });

  it("is refused from a file that is missing, a folder, or too large", async () => {
    const directory = join(folder, "directory");
    await mkdir(directory, { mode: 0o700 });
    for (const [path, fault] of [
      [join(folder, "missing"), /ENOENT/],
      [directory, /EISDIR|holds one key/],
      [await fileOf(Buffer.alloc(5_000, 1)), /5000 bytes/],
    ] as const) {
      const parsed = await readKeyEncryptionKey(path);
      assert.ok(!parsed.ok);
      assert.match(parsed.fault, fault);
    }
  });

  it("never makes the parser throw", () => {
    fc.assert(fc.property(fc.string(), (text) => !parseKeyEncryptionKey(text).ok));
  });
});
