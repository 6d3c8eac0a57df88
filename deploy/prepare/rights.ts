import { copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { loadPolicies } from "../../src/rpc/policy-set.ts";
import { modes, pretty, writeFiles } from "./consumer.ts";
import { Refusal } from "./refusal.ts";

/** Where imagetrust's folder says who is what. */
export const entitiesPath = "policies/entities.json";

export interface Rights {
  readonly role: string | undefined;
  /** Prefixes of repositories, or full names, that the identity owns. */
  readonly owns: readonly string[];
}

interface Entity {
  readonly uid: { readonly type: string; readonly id: string };
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly parents: readonly { readonly type: string; readonly id: string }[];
}

/** An identity as entities.json has it; the model is in docs/authorization.md. */
export function entityOf(name: string, { role, owns }: Rights): Entity {
  return {
    uid: { type: identityType, id: name },
    attrs: owns.length === 0 ? {} : { owns: owns.map((id) => ({ type: "ImageTrust::Prefix", id })) },
    parents: role === undefined ? [] : [{ type: "ImageTrust::Role", id: role }],
  };
}

/**
 * Gives an identity these rights in place of those it had, or none (undefined). The service takes that up by itself. What it
 * would refuse to take up is refused here, and nothing changed: throws Refusal.
 */
export async function setRights(root: string, name: string, rights: Rights | undefined): Promise<void> {
  const folder = join(root, "imagetrust");
  const entities = JSON.parse(await readFile(join(folder, entitiesPath), "utf8")) as readonly Entity[];
  const others = entities.filter(({ uid }) => uid.type !== identityType || uid.id !== name);
  if (rights === undefined && others.length === entities.length) throw new Refusal(`${name} has no rights`);
  const next = rights === undefined ? others : [...others, entityOf(name, rights)];
  const draft = join(folder, "policies.new");
  await rm(draft, { recursive: true, force: true });
  try {
    await writeFiles(root, "imagetrust", { "policies.new/entities.json": pretty(next) }, modes.open);
    await copyPolicies(join(folder, "policies"), draft);
    const loaded = loadPolicies(draft);
    if (!loaded.ok) throw new Refusal(loaded.faults.join("\n"));
    await rename(join(draft, "entities.json"), join(folder, entitiesPath));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

const identityType = "ImageTrust::Identity";

async function copyPolicies(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (name.endsWith(".cedar")) await copyFile(join(from, name), join(to, name));
  }
}
