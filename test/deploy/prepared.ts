import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, removeFolder } from "../stack/folder.ts";
import { preparedFolderOf, serviceOf } from "./compose.ts";
import { type Ended, type Run, type RunOptions, runInProject } from "./container.ts";

/** What a service is run with, and its `/run/prepared` as a folder. */
export interface Mounted extends RunOptions {
  readonly folder: string;
}

/** What stands for the volumes that docker-compose.yml's `prepare` fills. */
export interface Prepared {
  /** `/prepared` of the service. */
  readonly folder: string;
  /** Runs the service with these words after its entrypoint, as `docker compose run --rm prepare WORDS...` does. */
  run(...words: string[]): Promise<Ended>;
  /**
   * Mounts a service's volume as it is now: a copy in which `/run/prepared` is the folder's path and each text in `replaced`, such as
   * `postgres:5432`, is what it is without Docker's network.
   */
  mount(service: string, replaced?: Readonly<Record<string, string>>): Mounted;
  remove(): Promise<void>;
}

/** Takes an empty folder; `environment` is the service's own. */
export async function openPrepared(
  environment: Readonly<Record<string, string>> = {},
  run: Run = runInProject,
): Promise<Prepared> {
  const base = await makeFolder("prepared");
  const folder = join(base, "prepared");
  mkdirSync(folder);
  const { entrypoint = [], user = "", cap_add: capabilities = [] } = serviceOf("prepare");
  return {
    folder,
    run: (...words) =>
      run([...entrypoint.map((word) => word.replace(/^\/prepared$/, folder)), ...words], {
        environment,
        user,
        capabilities,
        mounts: [],
        writable: [folder],
      }),
    mount: (service, replaced = {}) =>
      mountCopy(join(folder, preparedFolderOf(service)), join(base, service), service, replaced),
    remove: () => removeFolder(base),
  };
}

function mountCopy(from: string, folder: string, service: string, replaced: Readonly<Record<string, string>>): Mounted {
  rmSync(folder, { recursive: true, force: true });
  cpSync(from, folder, { recursive: true });
  const names = Object.entries({ "/run/prepared": folder, ...replaced });
  const rewrite = (text: string) => names.reduce((all, [name, it]) => all.replaceAll(name, it), text);
  for (const file of filesBelow(folder)) {
    const { mode, uid, gid } = statSync(join(from, file));
    const content = readFileSync(join(from, file), "utf8");
    rmSync(join(folder, file));
    writeFileSync(join(folder, file), rewrite(content), { mode });
    chownSync(join(folder, file), uid, gid);
  }
  const environment = Object.entries(serviceOf(service).environment ?? {}).map(([name, it]) => [name, rewrite(it)]);
  return { folder, mounts: [folder], environment: Object.fromEntries(environment) as Record<string, string> };
}

/** All files below a folder, relative to it, in order. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
