import { join } from "node:path";
import { projectRoot } from "../stack/project.ts";
import type { Chapter } from "./chapter.ts";
import { shellWord } from "./narrator.ts";
import type { Scene } from "./scene.ts";
import { insist } from "./story-fault.ts";

/** Somebody with a client bundle of the same UCP tries to sign without being in the team. */
export const refuseOutsider: Chapter = {
  title: "Somebody who was not delegated cannot sign",
  opening: "A client bundle alone is not enough: what counts is that the repository was delegated to its key.",
  steps: [
    {
      name: "try with the notary client",
      keeps: "the notary client refuses who was not delegated",
      play: tryClient,
    },
    {
      name: "try without the notary client",
      keeps: "the Notary server refuses the same file, signed by the outsider and posted raw",
      play: tryRaw,
    },
  ],
};

const tag = "6.6.6";

async function tryClient({ outsider, cast }: Scene): Promise<void> {
  const notary = "notary -c config.json";
  outsider.export("NOTARY_DELEGATION_PASSPHRASE", "known to the outsider only");
  await outsider.run(`${notary} key import key.pem --role delegation`);
  await outsider.run(`${notary} add ${cast.gun} ${tag} manifest.json -r targets/releases -r targets/${cast.team}`);
  const said = await outsider.run(`${notary} publish ${cast.gun}`, 1);
  insist(said.includes("could not find necessary signing keys"), "It was refused for another reason.");
}

async function tryRaw({ outsider, onlooker, cast, narrator }: Scene): Promise<void> {
  narrator.tell("What the client would have published, made and signed by hand, and sent past it:");
  const program = shellWord(join(projectRoot, "scripts/story/post-raw.ts"));
  const roles = `targets/releases targets/${cast.team}`;
  const said = await outsider.run(
    `node ${program} config.json cert.pem key.pem ${cast.gun} ${tag} manifest.json ${roles}`,
    1,
  );
  insist(
    /^400 /m.test(said) && said.includes("valid signatures did not meet threshold"),
    "It was refused for another reason.",
  );
  for (const role of ["targets/releases", `targets/${cast.team}`]) {
    const listed = await onlooker.run(`notary -c config.json list ${cast.gun} -r ${role}`);
    insist(!listed.includes(tag), `${tag} is listed under ${role}.`);
  }
}
