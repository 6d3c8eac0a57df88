/** What the command's exit code says; scripts may rely on it. */
export const exitCode = {
  /** Done: what was asked for is live, or was answered. */
  live: 0,
  /** Refused: nothing was changed. */
  refused: 1,
  /** The command line is wrong; nothing was sent. */
  usage: 2,
  /** Accepted, and not live: pending, blocked or superseded by a later change. */
  pending: 3,
  /** No answer, or none that decides: repeat the command, a change with the same request id. */
  unreachable: 4,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** A command line that cannot be carried out; the message names the option and the remedy. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
