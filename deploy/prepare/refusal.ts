/** What was asked for cannot be done; the message says why, and nothing was changed. */
export class Refusal extends Error {}
