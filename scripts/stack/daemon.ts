import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its output is appended. */
  readonly logFile: string;
  /** Whether it answers by now; a throw counts as "not yet". */
  readonly isReady: () => Promise<boolean>;
  /** Start it again whenever it ends without being told to; default true. */
  readonly supervised?: boolean;
}

/** A server process that ends with this one. */
export interface Daemon {
  readonly pid: number;
  /** How often it ended without being told to. */
  readonly crashes: number;
  /** kill -9; it stays down until restart(). */
  kill(): Promise<void>;
  /** Starts it, after stopping it if it runs, and waits as ready() does. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** Waits until it answers, as after a crash; throws with the end of its log after 30 s, or when it ended three times. */
  ready(): Promise<void>;
  log(): Promise<string>;
}

/** Starts a server and waits until it answers; ends it and throws with its log when it does not. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const daemon = new SupervisedDaemon(options);
  try {
    await daemon.restart();
  } catch (error) {
    await daemon.kill();
    throw error;
  }
  return daemon;
}

class SupervisedDaemon implements Daemon {
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #reviving: Promise<void> = Promise.resolve();
  #wanted: boolean = false;
  crashes = 0;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#wanted = true;
    await this.#spawn();
    await this.ready();
  }

  async log(): Promise<string> {
    return readFile(this.#options.logFile, "utf8");
  }

  async #spawn(): Promise<void> {
    const { program, args, env, logFile } = this.#options;
    const log = await open(logFile, "a", 0o600);
    if (!this.#wanted) return await log.close();
    // Its own process group: a Ctrl-C at the terminal reaches us first, and we end it in order.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], {
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", ...env },
      stdio: ["ignore", log.fd, log.fd],
      detached: true,
    });
    this.#child = child;
    // Listen before anything is awaited: a program can end at once.
    this.#ended = new Promise((resolve) => {
      child.once("error", () => resolve());
      child.once("exit", () => resolve());
    });
    this.#reviving = this.#ended.then(() => this.#revive());
    await log.close();
  }

  async #revive(): Promise<void> {
    if (!this.#wanted) return;
    this.crashes += 1;
    if (this.#options.supervised === false) return;
    // A server that cannot start must not be started in a tight loop.
    await pause(100);
    if (this.#wanted) await this.#spawn();
  }

  async ready(): Promise<void> {
    const patience = Date.now() + 30_000;
    const crashes = this.crashes;
    while (!(await this.#options.isReady().catch(() => false))) {
      if (Date.now() > patience || this.crashes >= crashes + 3) {
        const end = (await this.log()).split("\n").slice(-20).join("\n");
        throw new Error(`${this.#options.program} does not answer:\n${end}`);
      }
      await pause(10);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#wanted = false;
    this.#child?.kill(signal);
    await this.#ended;
    await this.#reviving;
  }
}
