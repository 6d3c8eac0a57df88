import { insist } from "../story/story-fault.ts";
import type { Actor, Stage } from "./stage.ts";

/** A repository that a team of people signs. */
export interface Delegated {
  readonly gun: string;
  readonly team: string;
  readonly members: readonly Actor[];
}

const notary = "notary -c notary/config.json";

/** Makes a team of people with their certificates, and trust that is delegated to it. */
export async function delegateToTeam(stage: Stage, name: string, people: readonly string[]): Promise<Delegated> {
  const { admin } = stage;
  const team = stage.fresh(name);
  const gun = `dtr.example.org/stories/${team}`;
  const members = [];
  await admin.run(`imagetrust team create ${team}`);
  for (const person of people) {
    const actor = await stage.enter(stage.fresh(person));
    await admin.run(`imagetrust member add ${team} ${actor.name}`);
    await admin.run(`imagetrust certificate add ${actor.name} --bundle ${bundleOf(actor)}`);
    members.push(actor);
  }
  const said = await admin.run(`imagetrust init ${gun} --team ${team}`);
  insist(said.includes("PUBLISHED: "), "The answer does not say that the change is live.");
  return { gun, team, members };
}

/** The bundle's path for the admin. */
export function bundleOf({ bundle }: Actor): string {
  return bundle.file.split("/").slice(-2).join("/");
}

/** Somebody sets the notary client up as `member setup` writes it, and imports the key. */
export async function setUpSigner(stage: Stage, { name, bundle, desk }: Actor, gun: string): Promise<void> {
  const folder = bundle.file.split("/").at(-2);
  const place = `--write ${folder}/notary ${stage.notaryCa}`;
  await stage.admin.run(`imagetrust member setup ${gun} --member ${name} ${place}`);
  await desk.run(`${notary} key import key.pem --role delegation`);
}

/** Somebody signs a tag in these roles; by default it must succeed. */
export async function signTag(
  actor: Actor,
  gun: string,
  tag: string,
  roles: readonly string[],
  code = 0,
): Promise<string> {
  const flags = roles.map((role) => `-r ${role}`).join(" ");
  await actor.desk.run(`${notary} add ${gun} ${tag} manifest.json ${flags}`);
  return await actor.desk.run(`${notary} publish ${gun}`, code);
}

/** Somebody types what `witness` prints, and signs again whatever waits for them. */
export async function signAgain(stage: Stage, { name, bundle, desk }: Actor, gun: string): Promise<string> {
  const folder = bundle.file.split("/").at(-2);
  const page = await stage.admin.run(
    `imagetrust witness ${gun} --member ${name} --write ${folder}/notary ${stage.notaryCa}`,
  );
  for (const command of [/^notary .* witness .*$/m, /^notary .* publish .*$/m]) {
    const line = command.exec(page)?.[0];
    insist(line !== undefined, "`witness` did not print the command.");
    await desk.run(line);
  }
  return page;
}

/** What anybody's notary client lists under a role. */
export async function listedUnder({ onlooker }: Stage, gun: string, role: string): Promise<string> {
  return await onlooker.run(`notary -c config.json list ${gun} -r ${role}`);
}

/** Waits until the service has seen a tag, and answers what it tells of it. */
export async function seenTag({ admin }: Stage, gun: string, tag: string): Promise<string> {
  const said = await admin.runUntil(`imagetrust tags ${gun}`, (output) => output.includes(`\n${tag} `));
  insist(said.includes(`\n${tag} `), `imagetrust does not list ${tag}.`);
  return said;
}

/** Waits until the audit log holds an event about a repository that tells of a tag. */
export async function recordedEvent({ admin }: Stage, gun: string, event: string, tag: string): Promise<void> {
  const isThere = (output: string) => output.includes(event) && output.includes(`${tag} sha256:`);
  const said = await admin.runUntil(`imagetrust audit list --gun ${gun} --type ${event} --json`, isThere);
  insist(isThere(said), `The audit log tells of no ${event} of ${tag}.`);
}
