import { relative } from "node:path";
import type { Chapter, Step } from "./chapter.ts";
import { configureDocker, hasDockerTrust } from "./docker.ts";
import { shellWord } from "./narrator.ts";
import type { Scene } from "./scene.ts";
import { insist } from "./story-fault.ts";

/** A member types what `member setup` printed, and everybody sees the tag. */
export const signTag: Chapter = {
  title: "A member of the team signs a tag with the notary client",
  opening: `The signer gets a configuration that pins the repository's root, and the commands to type; the private key never
leaves the signer's folder. An image is signed by its manifest.`,
  steps: [
    { name: "print what the signer needs", play: printSetup },
    { name: "import the private key", play: importKey },
    {
      name: "name the tag",
      play: async (scene) => {
        printedLine(scene, /^TAG=/);
        scene.signer.assign("TAG", scene.tag);
      },
    },
    typePrinted("sign the tag", / add /),
    typePrinted("publish", / publish /),
    {
      name: "list the tags",
      keeps: "a member signed with the bundle's private key and what `member setup` gave, nothing else",
      play: listTags,
    },
    { name: "ask docker", keeps: "docker agrees, where there is a docker", play: askDocker },
  ],
};

async function printSetup(scene: Scene): Promise<void> {
  const { admin, cast, stack, folder } = scene;
  const [signer] = cast.members;
  const ca = shellWord(relative(folder, stack.notary.caFile));
  const options = `--member ${signer} --notary-ca ${ca} --write ${signer}/signing/notary`;
  scene.setupPage = await admin.run(`imagetrust member setup ${cast.gun} ${options}`);
}

async function importKey(scene: Scene): Promise<void> {
  const { signer, bundles, cast } = scene;
  signer.export("NOTARY_DELEGATION_PASSPHRASE", "known to the signer only");
  await signer.run(printedLine(scene, / key import /));
  const keys = await signer.run(printedLine(scene, / key list$/));
  insist(keys.includes(bundles.get(cast.members[0])?.keyId ?? ""), "The key of the bundle is not listed.");
}

function typePrinted(name: string, pattern: RegExp): Step {
  return { name, play: async (scene) => void (await scene.signer.run(printedLine(scene, pattern))) };
}

/** The line that `member setup` printed for this purpose. */
function printedLine({ setupPage }: Scene, pattern: RegExp): string {
  const line = setupPage.split("\n").find((printed) => !printed.startsWith("#") && pattern.test(printed));
  insist(line !== undefined, `\`member setup\` has printed no line with ${pattern.source.trim()}.`);
  return line;
}

async function listTags(scene: Scene): Promise<void> {
  const { signer, onlooker, cast, tag, digest } = scene;
  const isListed = (said: string, role: string) =>
    said
      .split("\n")
      .some((line) => line.startsWith(`${tag} `) && line.includes(` ${digest} `) && line.endsWith(` ${role}`));
  const released = await signer.run(printedLine(scene, / list \S+$/));
  insist(isListed(released, "targets/releases"), `${tag} is not listed under targets/releases.`);
  const byTeam = await onlooker.run(`notary -c config.json list ${cast.gun} -r targets/${cast.team}`);
  insist(isListed(byTeam, `targets/${cast.team}`), `${tag} is not listed under targets/${cast.team}.`);
}

async function askDocker({ onlooker, stack, cast, tag, digest, narrator, folder }: Scene): Promise<void> {
  if (!(await hasDockerTrust())) {
    narrator.tell("Skipped: there is no docker client with `docker trust` in the path.");
    return;
  }
  narrator.tell(
    "docker looks for Notary's authority in $DOCKER_CONFIG/tls/<host:port>/ca.crt; it needs no daemon for this.",
  );
  await configureDocker(`${folder}/onlooker/docker`, stack.notary);
  onlooker.export("DOCKER_CONFIG", `${folder}/onlooker/docker`);
  onlooker.export("DOCKER_CONTENT_TRUST_SERVER", stack.notary.url);
  const said = await onlooker.run(`docker trust inspect ${cast.gun}:${tag}`);
  insist(
    said.includes(`"SignedTag": "${tag}"`) && said.includes(`"Digest": "${digest}"`),
    "docker does not show the tag.",
  );
  insist(
    /"Signers": \[\s*"(.*)"\s*\]/.exec(said)?.[1] === cast.team,
    `docker does not name ${cast.team} as its signer.`,
  );
}
