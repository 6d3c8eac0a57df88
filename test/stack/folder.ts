import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export { projectRoot } from "../../scripts/stack/project.ts";

/** Makes a temporary folder that a database run by another account can be reached in. */
export function makeFolder(name: string): Promise<string> {
  return makeFolderIn(tmpdir(), name);
}

/** The same in memory where there is room: for files that need not outlive a loss of power. */
export async function makeVolatileFolder(name: string): Promise<string> {
  const memory = "/dev/shm";
  await removeAbandoned(memory);
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return makeFolderIn(bavail * bsize > 2 ** 31 ? memory : tmpdir(), name);
}

async function makeFolderIn(parent: string, name: string): Promise<string> {
  const folder = await mkdtemp(join(parent, `imagetrust-${name}-${process.pid}-`));
  if (process.getuid?.() === 0) await chmod(folder, 0o711);
  return folder;
}

/** Folders of processes that were killed before they could clean up would fill the memory. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch((): string[] => [])) {
    const maker = /^imagetrust-.+-(\d+)-\w{6}$/.exec(name)?.[1];
    if (maker !== undefined && !existsSync(`/proc/${maker}`))
      await removeFolder(join(parent, name)).catch(() => undefined);
  }
}

/** Removes a folder and all in it. */
export function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
