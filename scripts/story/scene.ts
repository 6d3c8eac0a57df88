import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LocalStack } from "../stack/stack.ts";
import { type ClientBundle, downloadBundles } from "./client-bundle.ts";
import { type EnvironmentFile, programFolders, writeEnvironmentFile } from "./environment-file.ts";
import type { Narrator } from "./narrator.ts";
import { openShell, type Shell } from "./shell.ts";

/** Who and what the story is about. */
export interface Cast {
  readonly gun: string;
  readonly team: string;
  /** Of the team; the first one signs. */
  readonly members: readonly [string, string];
  /** Has a client bundle like the members, and belongs to no team. */
  readonly outsider: string;
}

/** The repository and the team that Docker's page "Delegate image signing" speaks of, with people. */
export const seedCast: Cast = {
  gun: "dtr.example.org/dev/nginx",
  team: "qa",
  members: ["alice", "bob"],
  outsider: "mallory",
};

/** Where the story plays: a running stack, people with their bundles, and shells to type in. */
export interface Scene {
  readonly cast: Cast;
  readonly stack: LocalStack;
  readonly narrator: Narrator;
  /** Where everybody's files are. */
  readonly folder: string;
  /** For who calls imagetrust as its admin; it stands beside `folder`. */
  readonly environment: EnvironmentFile;
  /** By person. */
  readonly bundles: ReadonlyMap<string, ClientBundle>;
  /** Of this run, to the second. */
  readonly startTime: Date;
  /** The tag that the signer signs: new in each run. */
  readonly tag: string;
  /** Hex SHA-256 of its manifest. */
  readonly digest: string;
  /** Somebody of IT ops, in the folder that holds everybody's. */
  readonly admin: Shell;
  /** Anybody, with a notary client's `config.json`. */
  readonly onlooker: Shell;
  /** The first member, with the bundle's `key.pem` and a `manifest.json` to sign. */
  readonly signer: Shell;
  /** The outsider, with the same, `cert.pem`, and a notary client's `config.json`. */
  readonly outsider: Shell;
  /** What `member setup` printed for the signer; empty until then. */
  setupPage: string;
}

/** Sets the scene in `story` below a folder. Bundles and the count of runs are kept from earlier runs, desks are cleared. */
export async function setScene(parent: string, cast: Cast, stack: LocalStack, narrator: Narrator): Promise<Scene> {
  const folder = join(parent, "story");
  const [signer] = cast.members;
  const bundles = await downloadBundles(folder, [...cast.members, cast.outsider]);
  const tag = `1.${await countRun(folder)}`;
  const manifest = manifestOf(tag);
  const desks = {
    onlooker: await clearDesk(folder, "onlooker"),
    signer: await clearDesk(folder, signer, "signing"),
    outsider: await clearDesk(folder, cast.outsider, "signing"),
  };
  for (const [desk, person] of [[desks.signer, signer] as const, [desks.outsider, cast.outsider] as const]) {
    await writeFile(join(desk, "key.pem"), bundles.get(person)?.privateKeyPem ?? "", { mode: 0o600 });
    await writeFile(join(desk, "manifest.json"), manifest);
  }
  await writeFile(join(desks.outsider, "cert.pem"), bundles.get(cast.outsider)?.certificatePem ?? "");
  for (const desk of [desks.onlooker, desks.outsider]) await configureNotary(desk, stack);
  const open = (who: string, at: string) => openShell({ who, folder: at, narrator, environment: plainEnvironment(at) });
  return {
    cast,
    stack,
    narrator,
    folder,
    environment: await writeEnvironmentFile(parent, stack.service),
    bundles,
    startTime: new Date(Math.floor(Date.now() / 1_000) * 1_000),
    tag,
    digest: createHash("sha256").update(manifest).digest("hex"),
    admin: open("somebody of IT ops, an admin of imagetrust", folder),
    onlooker: open("anybody who can reach Notary", desks.onlooker),
    signer: open(`${signer}, with nothing but key.pem of the bundle and what \`member setup\` gave`, desks.signer),
    outsider: open(`${cast.outsider}, who has a client bundle too and is in no team`, desks.outsider),
    setupPage: "",
  };
}

async function clearDesk(...path: readonly string[]): Promise<string> {
  const desk = join(...path);
  await rm(desk, { recursive: true, force: true });
  await mkdir(desk, { recursive: true, mode: 0o700 });
  return desk;
}

async function countRun(folder: string): Promise<number> {
  const file = join(folder, "runs");
  const earlier = Number(await readFile(file, "utf8").catch(() => "0"));
  await writeFile(file, String(earlier + 1));
  return earlier;
}

/** What a registry would hold for the tag. */
function manifestOf(tag: string): string {
  const digest = createHash("sha256").update(tag).digest("hex");
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  const config = {
    mediaType: "application/vnd.docker.container.image.v1+json",
    size: 1_512,
    digest: `sha256:${digest}`,
  };
  return `${JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }, undefined, 2)}\n`;
}

/** Trusts the first root it sees, as a notary client does that nobody told better. */
async function configureNotary(desk: string, { notary }: LocalStack): Promise<void> {
  const config = { trust_dir: join(desk, "trust"), remote_server: { url: notary.url, root_ca: notary.caFile } };
  await writeFile(join(desk, "config.json"), `${JSON.stringify(config, undefined, 2)}\n`);
}

function plainEnvironment(home: string): Readonly<Record<string, string>> {
  const path = [...programFolders, process.env["PATH"] ?? "/usr/bin:/bin"].join(":");
  return { PATH: path, HOME: home, LC_ALL: "C.UTF-8" };
}
