import type { Chapter } from "./chapter.ts";
import { insist } from "./story-fault.ts";

/** What imagetrust published, seen with the tool that team members have. */
export const listDelegations: Chapter = {
  title: "The notary client shows the delegation",
  opening: "UCP looks for a team's keys in two roles, targets/releases and the team's own. Notary has them in both.",
  steps: [
    {
      name: "list the delegations",
      keeps: "both roles hold both members' keys, for all paths",
      play: async ({ onlooker, cast, bundles }) => {
        const said = await onlooker.run(`notary -c config.json delegation list ${cast.gun}`);
        for (const role of ["targets/releases", `targets/${cast.team}`]) {
          const lines = linesOf(said, role);
          insist(/""\s+<all paths>/.test(lines), `${role} is not listed for all paths.`);
          for (const member of cast.members) {
            const keyId = bundles.get(member)?.keyId ?? "";
            insist(lines.includes(keyId), `${role} lacks ${member}'s key ${keyId}.`);
          }
        }
      },
    },
  ],
};

/** A role's line and those that continue it: they begin with blanks. */
function linesOf(table: string, role: string): string {
  const lines = table.split("\n");
  const first = lines.findIndex((line) => line.startsWith(`${role} `));
  insist(first >= 0, `${role} is not listed.`);
  const next = lines.findIndex((line, index) => index > first && !line.startsWith(" "));
  return lines.slice(first, next < 0 ? undefined : next).join("\n");
}
