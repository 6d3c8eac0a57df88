import { insist } from "../story/story-fault.ts";
import { delegateToTeam, listedUnder, recordedEvent, seenTag, setUpSigner, signAgain, signTag } from "./acts.ts";
import type { LifeStory } from "./life-story.ts";

/** A member leaves who has signed: see what that costs, let them go, and have a colleague sign again. */
export const leaver: LifeStory = {
  name: "leaver",
  title: "A member leaves",
  opening: `Two people of a team sign. One of them leaves: what only they have signed loses its signature, and what they have put into a file
that the other signed later lives on. Both must be seen before, told afterwards, and made good.`,
  shows: "a leaver is gone everywhere, what it cost was foretold and recorded, and a colleague made it good",
  play: async (stage) => {
    const { admin, onlooker } = stage;
    const { gun, team, members } = await delegateToTeam(stage, "leaver", ["ann", "bob"]);
    const [ann, bob] = members;
    if (ann === undefined || bob === undefined) throw new Error("nobody came");
    const own = `targets/${team}`;
    await setUpSigner(stage, ann, gun);
    await setUpSigner(stage, bob, gun);
    await signTag(ann, gun, "1.0", ["targets/releases", own]);
    await signTag(bob, gun, "2.0", ["targets/releases"]);
    await seenTag(stage, gun, "2.0");

    const leave = `imagetrust member revoke ${ann.name} --because left`;
    const refused = await admin.run(leave, 1);
    insist(refused.includes("WOULD_ORPHAN") && refused.includes("1.0"), "It was not refused for the tag it orphans.");
    const plan = await admin.run(`${leave} --accept-orphaned --validate-only`);
    insist(plan.includes("SIGNATURES_ORPHANED"), "The plan does not tell what dies.");
    insist(plan.includes("SIGNATURES_TO_REVIEW"), "The plan does not tell what lives on.");
    const said = await admin.run(`${leave} --accept-orphaned`);
    insist(said.includes("PUBLISHED"), "The answer does not say that the change is live.");

    const delegations = await onlooker.run(`notary -c config.json delegation list ${gun}`);
    insist(!delegations.includes(ann.bundle.keyId), "The leaver's key is still delegated.");
    insist(delegations.includes(bob.bundle.keyId), "The colleague's key is gone.");
    insist(!(await listedUnder(stage, gun, own)).includes("1.0"), "The leaver's file is still trusted.");
    insist((await listedUnder(stage, gun, "targets/releases")).includes("1.0"), "The colleague's file is not trusted.");
    await recordedEvent(stage, gun, "signature.orphaned.v1", "1.0");
    await recordedEvent(stage, gun, "signature.survived.v1", "1.0");
    await signTag(ann, gun, "6.6.6", [own], 1);

    await signAgain(stage, bob, gun);
    insist((await listedUnder(stage, gun, own)).includes("1.0"), "The colleague's new signature is not trusted.");
  },
};
