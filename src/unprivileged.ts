import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { Fault } from "./errors.ts";

/** A user and group of the operating system. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The words that go before a command so that it runs as it should; the child keeps the pid of the spawned process. */
export type Launcher = readonly [file: string, ...args: string[]];

/**
 * Chooses who runs the database: undefined is "as we are". PostgreSQL refuses to run as root, so root hands it to the owner
 * of `existing` (a folder from an earlier start), else to `nobody`.
 */
export function databaseAccount(existing: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(existing, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const nobody = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[0] === "nobody");
  return { uid: Number(nobody?.[2] ?? 65_534), gid: Number(nobody?.[3] ?? 65_534) };
}

/**
 * The launcher for children that end when this process ends, by `deathSignal`, however it ends. With an account they run
 * as that account; where it may not enter one of `paths` (a clone or data folder below /root), they also keep the one
 * capability of root that lets them in.
 */
export function launcherFor(account: Account | undefined, deathSignal: string, paths: readonly string[]): Launcher {
  const base: Launcher = ["setpriv", "--pdeathsig", deathSignal];
  if (account === undefined) return base;
  const plain: Launcher = [...base, `--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  // Without no_setuid_fixup access(2), by which PostgreSQL looks for its own files, would not honour the capability.
  const keeping = (capability: string): Launcher => [
    ...plain,
    "--securebits=+no_setuid_fixup",
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
  ];
  const launchers = [plain, keeping("dac_read_search"), keeping("dac_override")];
  const usable = launchers.find((launcher) => paths.every((path) => canReach(launcher, path)));
  if (usable !== undefined) return usable;
  throw new Fault(
    "DATABASE_UNAVAILABLE",
    `The embedded PostgreSQL may not run as root, and user ${account.uid} cannot reach ${paths.join(" and ")}; ` +
      "move them to where every user may look, start as an ordinary user, or set DATABASE_URL.",
  );
}

function canReach([file, ...args]: Launcher, path: string): boolean {
  const test = spawnSync(file, [...args, "test", "-x", path], { cwd: "/", stdio: "ignore" });
  if (test.error !== undefined) {
    throw new Fault(
      "DATABASE_UNAVAILABLE",
      "The embedded PostgreSQL needs the command setpriv; install util-linux, or set DATABASE_URL.",
      { cause: test.error },
    );
  }
  return test.status === 0;
}
