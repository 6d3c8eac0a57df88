import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { layTls } from "../../scripts/stack/tls.ts";
import { makeFolder, removeFolder } from "./folder.ts";
import { keepSecret } from "./kept.ts";

export { type CertificateFiles, layTls, type NotaryTls } from "../../scripts/stack/tls.ts";

/** Lays the certificates of a Notary into a folder that has none; all Notaries of this process have the same. */
export async function copyTls(folder: string): Promise<void> {
  if ((await readdir(folder).catch((): string[] => [])).length > 0) return;
  made ??= makeFiles();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, content] of await made) await writeFile(join(folder, name), content, { mode: 0o600 });
}

let made: Promise<ReadonlyMap<string, Buffer>> | undefined;

async function makeFiles(): Promise<ReadonlyMap<string, Buffer>> {
  const folder = await makeFolder("tls");
  try {
    await layTls(folder);
    const names = await readdir(folder);
    const files = new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
    );
    for (const [name, content] of files) if (name.endsWith("-key.pem")) keepSecret(`Notary's ${name}`, String(content));
    return files;
  } finally {
    await removeFolder(folder);
  }
}
