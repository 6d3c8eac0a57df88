import { type ExecFileOptions, execFile } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../stack/folder.ts";

/** How a process of a container ended. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a container adds to its image. */
export interface RunOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** As compose says it; default: the image's own, without capabilities. Counts only where root runs the tests. */
  readonly user?: string;
  readonly capabilities?: readonly string[];
  /** Folders that stand for mounted volumes: readable. */
  readonly mounts: readonly string[];
  /** Mounted writable. */
  readonly writable?: readonly string[];
}

/** Runs a command to its end. */
export type Run = (command: readonly string[], options: RunOptions) => Promise<Ended>;

/** Runs a command of the image in the project's folder instead, under the container's account. */
export const runInProject: Run = (command, { environment, user = "", capabilities = [] }) => {
  const words = command.map((word) => (word === "node" ? process.execPath : word));
  const env = { PATH: "/usr/bin:/bin", NODE_COMPILE_CACHE: join(projectRoot, ".cache/node"), ...environment };
  return runToEnd([...launcherOf(user, capabilities), ...words], { cwd: projectRoot, env });
};

export function runToEnd([file = "", ...args]: readonly string[], options: ExecFileOptions): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(file, args, { ...options, encoding: "utf8" }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** Root starts a container's process as its user with no capability but those that are added; somebody else cannot, and need not. */
export function launcherOf(user: string, capabilities: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const [uid, gid] = user.split(":");
  const kept = ["-all", ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(",");
  return [
    "/usr/bin/setpriv",
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--inh-caps=-all",
    `--bounding-set=${kept}`,
  ];
}
