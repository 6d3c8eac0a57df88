import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, removeFolder } from "./folder.ts";
import { notaryPrograms } from "./notary.ts";

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real notary command with a trust folder and a configuration of its own. */
export interface NotaryCli {
  /** Its files: `trust/` is the trust folder, `config.json` the configuration; a place for key files as well. */
  readonly folder: string;
  readonly configFile: string;
  readonly trustDir: string;
  /** Runs it without a terminal; never throws for what the command does. */
  run(...args: readonly string[]): Promise<CliResult>;
  /** The same, but throws with the output unless it exits 0; answers what it printed. */
  mustRun(...args: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

export interface NotaryCliOptions {
  /** For every key; without a passphrase the command asks, and fails for want of a terminal. Default `passphrase`. */
  readonly passphrase?: string;
  /** Further lines of its configuration, such as trust_pinning. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Makes a notary command for a server. */
export async function makeNotaryCli(
  notary: { readonly url: string; readonly caFile: string },
  options: NotaryCliOptions = {},
): Promise<NotaryCli> {
  const folder = await makeFolder("notary-cli");
  const trustDir = join(folder, "trust");
  const configFile = join(folder, "config.json");
  const config = {
    trust_dir: trustDir,
    remote_server: { url: notary.url, root_ca: notary.caFile },
    ...options.config,
  };
  await writeFile(configFile, JSON.stringify(config, undefined, 2));
  const env = environmentFor(folder, options.passphrase ?? "passphrase");
  const run = (...args: readonly string[]) => runNotary(["-c", configFile, ...args], env, folder);
  return {
    folder,
    configFile,
    trustDir,
    run,
    mustRun: async (...args) => {
      const { code, stdout, stderr } = await run(...args);
      if (code !== 0) throw new Error(`notary ${args.join(" ")} exited ${code}:\n${stdout}${stderr}`);
      return stdout;
    },
    remove: () => removeFolder(folder),
  };
}

function environmentFor(home: string, passphrase: string): Readonly<Record<string, string>> {
  const keys = ["ROOT", "TARGETS", "SNAPSHOT", "DELEGATION"];
  return {
    PATH: "/usr/bin:/bin",
    HOME: home,
    ...Object.fromEntries(keys.map((key) => [`NOTARY_${key}_PASSPHRASE`, passphrase])),
  };
}

function runNotary(args: readonly string[], env: Readonly<Record<string, string>>, cwd: string): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(notaryPrograms, "notary"), args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, ...output }));
  });
}
