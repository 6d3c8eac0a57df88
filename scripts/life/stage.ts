import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LocalStack } from "../stack/stack.ts";
import { type ClientBundle, downloadBundles } from "../story/client-bundle.ts";
import { programFolders, writeEnvironmentFile } from "../story/environment-file.ts";
import { type Narrator, shellWord } from "../story/narrator.ts";
import { openShell, type Shell } from "../story/shell.ts";

/** Where stories play: one running stack for all of them, and shells to type in. */
export interface Stage {
  readonly narrator: Narrator;
  /** Somebody of IT ops, in the folder that holds everybody's. */
  readonly admin: Shell;
  /** Anybody, with a notary client's `config.json`. */
  readonly onlooker: Shell;
  /** The name, with the number of this run: no name is used twice in a data directory. */
  fresh(name: string): string;
  /** Gives somebody a client bundle and a desk of their own, with the bundle's `key.pem` on it. */
  enter(person: string): Promise<Actor>;
  /** Makes a second bundle for somebody, as they would download after losing the first: the file's path for the admin. */
  renew(person: string): Promise<Actor>;
  /** The option that names the authority of Notary's certificate. */
  readonly notaryCa: string;
}

export interface Actor {
  readonly name: string;
  readonly bundle: ClientBundle;
  /** With `key.pem` and a `manifest.json` to sign. */
  readonly desk: Shell;
}

/** Sets the stage in a folder, which may hold earlier runs. */
export async function setStage(parent: string, stack: LocalStack, narrator: Narrator): Promise<Stage> {
  const folder = join(parent, "people");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const run = await countRun(folder);
  const environment = await writeEnvironmentFile(parent, stack.service);
  const open = (who: string, at: string, more: Readonly<Record<string, string>> = {}) =>
    openShell({ who, folder: at, narrator, environment: { ...plainEnvironment(at), ...more } });
  const onlooker = join(folder, "onlooker");
  await mkdir(onlooker, { recursive: true });
  const { url, caFile } = stack.notary;
  const config = { trust_dir: join(onlooker, `trust-${run}`), remote_server: { url, root_ca: caFile } };
  await writeFile(join(onlooker, "config.json"), `${JSON.stringify(config, undefined, 2)}\n`);

  const seat = async (person: string, bundleOf: string): Promise<Actor> => {
    const bundle = (await downloadBundles(folder, [bundleOf])).get(bundleOf);
    if (bundle === undefined) throw new Error(`there is no bundle of ${bundleOf}`);
    const at = join(folder, bundleOf);
    await writeFile(join(at, "key.pem"), bundle.privateKeyPem, { mode: 0o600 });
    await writeFile(join(at, "manifest.json"), `{"schemaVersion":2}\n`);
    const desk = open(`${person}, with key.pem of the client bundle`, at);
    desk.export("NOTARY_DELEGATION_PASSPHRASE", "known to the signer only");
    return { name: person, bundle, desk };
  };
  return {
    narrator,
    admin: open("somebody of IT ops, an admin of imagetrust", folder, environment.variables),
    onlooker: open("anybody who can reach Notary", onlooker),
    fresh: (name) => `${name}-${run}`,
    enter: (person) => seat(person, person),
    renew: (person) => seat(person, `${person}-new`),
    notaryCa: `--notary-ca ${shellWord(caFile)}`,
  };
}

async function countRun(folder: string): Promise<number> {
  const file = join(folder, "runs");
  const earlier = Number(await readFile(file, "utf8").catch(() => "0"));
  await writeFile(file, String(earlier + 1));
  return earlier + 1;
}

function plainEnvironment(home: string): Readonly<Record<string, string>> {
  const path = [...programFolders, process.env["PATH"] ?? "/usr/bin:/bin"].join(":");
  return { PATH: path, HOME: home, LC_ALL: "C.UTF-8" };
}
