import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { KeptSecret } from "../stack/kept.ts";
import { indexOf } from "./secret-index.ts";
import { privateKeySecretOf, type Secret, search, secretOf } from "./secrets.ts";

/**
 * Run as a program on a folder of kept texts and secrets: names every secret that stands in a text, and exits 1 when there is
 * one. A folder without secrets or without texts is a failure as well: there was nothing to search.
 */
function searchKept(folder: string): readonly string[] {
  const names = readdirSync(folder);
  const secrets = names.filter((name) => name.endsWith(".secrets")).flatMap((name) => readSecrets(join(folder, name)));
  const texts = names.filter((name) => name.endsWith(".text"));
  if (secrets.length === 0 || texts.length === 0) return [`${secrets.length} secrets, ${texts.length} texts`];
  const index = indexOf(secrets);
  const found = texts.flatMap((name) => {
    const text = readFileSync(join(folder, name), "latin1");
    return search(index.suspectsIn(text), { name, text });
  });
  console.log(`searched ${texts.length} texts for ${secrets.length} secrets`);
  return found;
}

function readSecrets(file: string): readonly Secret[] {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => {
    const { name, kind, base64 } = JSON.parse(line) as KeptSecret;
    const value = Buffer.from(base64, "base64");
    return kind === "private key" ? privateKeySecretOf(name, value) : secretOf(name, value);
  });
}

const found = searchKept(process.argv[2] ?? "");
for (const line of found) console.error(line);
process.exitCode = found.length > 0 ? 1 : 0;
