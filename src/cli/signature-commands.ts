import type { Command } from "commander";
import { SignatureServiceService, TagState } from "../../gen/imagetrust/v1/signature.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectEnum } from "./option-values.ts";
import { type Perform, show } from "./session.ts";
import { tagsText, tagText } from "./signature-text.ts";
import { moreText } from "./words.ts";

/** Adds `tags` and `tag` to the command. */
export function addSignatureCommands(program: Command, perform: Perform): void {
  const several = program
    .command("tags <gun>")
    .description("list the signed tags of a repository")
    .option("--prefix <text>", "only tags that begin so", "")
    .option("--state <state>", "only those in this state (repeatable)", collectEnum(TagState), []);
  addPageFlags(several).action((gun: string) =>
    perform(several, (session) =>
      list(
        session,
        several,
        SignatureServiceService.listSignedTags,
        (page) => {
          const { prefix, state } = several.opts<{ prefix: string; state: readonly TagState[] }>();
          return { ...page, gun, tagPrefix: prefix, states: state };
        },
        "tags",
        ({ tags, nextPageToken }) =>
          (tags.length === 0 ? "No signed tags.\n" : tagsText(tags)) + moreText(nextPageToken),
      ),
    ),
  );

  const one = program.command("tag <gun> <tag>").description("show a signed tag: in which roles, by whose keys");
  one.action((gun: string, tag: string) =>
    perform(one, async (session) => {
      const response = await session.api.call(SignatureServiceService.getSignedTag, { gun, tag }, session.deadline);
      show(session, response, (answer) => (answer.tag === undefined ? "" : tagText(answer.tag)));
      return 0;
    }),
  );
}
