/** The story did not go as it must; the message says where and why. */
export class StoryFault extends Error {
  override readonly name = "StoryFault";
}

/** Throws StoryFault, "`what`.", unless the claim holds. */
export function require(claim: boolean, what: string): asserts claim {
  if (!claim) throw new StoryFault(`${what}.`);
}
