/** The story did not go as it must; the message says what was wrong, for a person. */
export class StoryFault extends Error {
  override readonly name = "StoryFault";
}

/** Throws StoryFault with the sentence unless the claim holds. */
export function insist(claim: boolean, otherwise: string): asserts claim {
  if (!claim) throw new StoryFault(otherwise);
}
