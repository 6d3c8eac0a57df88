import type { Chapter, Step } from "./chapter.ts";
import type { Scene } from "./scene.ts";
import { insist } from "./story-fault.ts";

/** The team and its certificates first; then everything about trust is one command and one publication. */
export const initializeAndDelegate: Chapter = {
  title: "Collect the team's certificates, initialize trust for a repository and delegate it",
  opening: `Two people of the team have downloaded their client bundles: zip files with a certificate and its private key.
Of these imagetrust is given the certificates. What it then makes of them on Notary is one publication.`,
  steps: [
    {
      name: "say where imagetrust is",
      play: async ({ admin, environment }) => {
        await admin.run("cat ../env.sh");
        admin.source("../env.sh", environment.variables);
      },
    },
    {
      name: "create the team",
      play: async ({ admin, cast }) => void (await admin.run(`imagetrust team create ${cast.team}`)),
    },
    join(0),
    join(1),
    giveCertificate(0),
    giveCertificate(1),
    {
      name: "initialize trust and delegate it",
      keeps: "one publication initialized trust and delegated it",
      play: initialize,
    },
  ],
};

function join(place: 0 | 1): Step {
  return {
    name: `add member ${place + 1} to the team`,
    play: async ({ admin, cast }) =>
      void (await admin.run(`imagetrust member add ${cast.team} ${cast.members[place]}`)),
  };
}

function giveCertificate(place: 0 | 1): Step {
  return {
    name: `give the certificate of member ${place + 1}`,
    play: async ({ admin, cast }) => {
      const member = cast.members[place];
      await admin.run(`imagetrust certificate add ${member} --bundle ${member}/ucp-bundle-${member}.zip`);
    },
  };
}

async function initialize({ admin, cast, narrator }: Scene): Promise<void> {
  const said = await admin.run(`imagetrust init ${cast.gun} --team ${cast.team}`);
  const isLiveAlready = said.includes("UNCHANGED: ");
  if (isLiveAlready) {
    narrator.tell("An earlier run on this data directory did that.");
  } else {
    insist(said.includes("PUBLISHED: "), "The answer does not say that the change is live.");
    insist(/\broot 1,.* targets 1\b/.test(said), "Root and targets are not at their first versions.");
  }
  const landed = "publication.landed.v1";
  const log = await admin.runUntil(`imagetrust audit list --gun ${cast.gun} --type ${landed}`, (output) =>
    output.includes(landed),
  );
  const count = log.split(landed).length - 1;
  insist(isLiveAlready ? count >= 1 : count === 1, `The audit log knows ${count} publications; one was expected.`);
}
