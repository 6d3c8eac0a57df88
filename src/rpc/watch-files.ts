import { createHash } from "node:crypto";
import { type FSWatcher, promises, watch } from "node:fs";
import { dirname } from "node:path";

export interface FileWatch {
  /** Looks at once, as on SIGHUP. */
  look(): Promise<void>;
  close(): void;
}

export interface FileWatchOptions {
  /** Which files matter now; asked anew at every look. Those that cannot be read count as absent. */
  readonly files: () => Promise<readonly string[]>;
  /** Called one at a time, when names or contents differ from those of the last look. */
  readonly changed: () => Promise<void>;
  /** Directories whose events make it look at once; the polling finds what events miss, as on network file systems. */
  readonly directories: readonly string[];
  readonly pollMs?: number;
  /** Told when `changed` rejected outside a `look` of the caller; the watch goes on. */
  readonly failed: (error: unknown) => void;
}

/** Several writes belong to one change: a certificate and its key, or the files of a mounted secret. */
const quietMs = 100;

/** Watches files by their contents, so that renames, symlink swaps and touched files are all told apart rightly. */
export async function watchFiles(options: FileWatchOptions): Promise<FileWatch> {
  let seen = await digestOf(options);
  let work: Promise<void> = Promise.resolve();
  let quiet: NodeJS.Timeout | undefined;
  const look = (): Promise<void> => {
    // A look that failed was told to whoever asked for it; the next one begins anew.
    work = work
      .catch(() => undefined)
      .then(async () => {
        const found = await digestOf(options);
        if (found === seen) return;
        seen = found;
        await options.changed();
      });
    return work;
  };
  const lookOnce = () => void look().catch(options.failed);
  const soon = () => {
    clearTimeout(quiet);
    quiet = setTimeout(lookOnce, quietMs).unref();
  };
  const watchers = [...new Set(options.directories)].map((directory) => watchDirectory(directory, soon));
  const poll = setInterval(lookOnce, options.pollMs ?? 30_000).unref();
  return {
    look,
    close: () => {
      clearTimeout(quiet);
      clearInterval(poll);
      for (const watcher of watchers) watcher?.close();
    },
  };
}

/** The directories in which files lie, for `directories`. */
export function directoriesOf(files: readonly string[]): readonly string[] {
  return files.map((file) => dirname(file));
}

function watchDirectory(directory: string, soon: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, soon);
    // A directory that vanishes ends its watcher; the polling goes on.
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

async function digestOf(options: FileWatchOptions): Promise<string> {
  const digest = createHash("sha256");
  for (const file of await options.files()) {
    const content = await promises.readFile(file).catch(() => undefined);
    digest.update(JSON.stringify([file, content?.length ?? -1]));
    if (content !== undefined) digest.update(content);
  }
  return digest.digest("hex");
}
