import { insist } from "../story/story-fault.ts";
import { bundleOf, delegateToTeam, listedUnder, seenTag, setUpSigner, signAgain, signTag } from "./acts.ts";
import type { LifeStory } from "./life-story.ts";

/** A member has a new client bundle: one call puts its key in the place of the old one, everywhere. */
export const replacedCertificate: LifeStory = {
  name: "replaced-certificate",
  title: "A member has a new certificate",
  opening: `A member downloads a new client bundle. Its key takes the place of the old one in both roles by one publication, so that at no moment
both or neither are there. What the old key alone has signed is signed again with the new one.`,
  shows: "a key was replaced in both roles at once, and its owner's tags are trusted by the new one",
  play: async (stage) => {
    const { admin, onlooker } = stage;
    const { gun, team, members } = await delegateToTeam(stage, "replaced", ["carol"]);
    const [carol] = members;
    if (carol === undefined) throw new Error("nobody came");
    const roles = ["targets/releases", `targets/${team}`];
    await setUpSigner(stage, carol, gun);
    await signTag(carol, gun, "1.0", roles);
    await seenTag(stage, gun, "1.0");

    const renewed = await stage.renew(carol.name);
    const list = await admin.run(`imagetrust certificate list --member ${carol.name} --state active`);
    const id = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(list)?.[0];
    insist(id !== undefined, "The certificate is not listed.");
    const replace = `imagetrust certificate replace ${id} --bundle ${bundleOf(renewed)}`;
    insist((await admin.run(replace, 1)).includes("WOULD_ORPHAN"), "It was not refused for the tags it orphans.");
    const said = await admin.run(`${replace} --accept-orphaned`);
    insist(said.includes("PUBLISHED"), "The answer does not say that the change is live.");
    const trust = await admin.run(`imagetrust trust get ${gun}`);
    insist(/^targets +2 /m.test(trust), "It took more than one publication.");
    const delegations = await onlooker.run(`notary -c config.json delegation list ${gun}`);
    insist(!delegations.includes(carol.bundle.keyId), "The old key is still delegated.");
    insist(delegations.split(renewed.bundle.keyId).length === 3, "The new key is not in both roles.");

    await setUpSigner(stage, renewed, gun);
    await signAgain(stage, renewed, gun);
    for (const role of roles) insist((await listedUnder(stage, gun, role)).includes("1.0"), `${role} is not trusted.`);
    await signTag(carol, gun, "6.6.6", roles, 1);
  },
};
