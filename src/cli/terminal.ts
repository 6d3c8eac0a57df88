import { createReadStream } from "node:fs";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** Where the command prints to and reads from. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `out` may use colour. */
  readonly colour: boolean;
  /** Whether `out` is a screen on which a line may be drawn anew. */
  readonly isTerminal: boolean;
  /** Everything on standard input, as it comes. */
  input(): AsyncIterable<Buffer>;
  /** Tells of Ctrl-C, which then no longer ends the process, until the function answered is called. */
  onInterrupt(act: () => void): () => void;
  /** Asks a person for a line that is not shown; absent where there is nobody to ask. */
  askSecret?(question: string): Promise<string>;
}

/** The process's own streams; colour only on a terminal that does not ask for none (https://no-color.org). */
export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    colour: process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "",
    isTerminal: process.stdout.isTTY === true,
    onInterrupt: (act) => {
      process.once("SIGINT", act);
      return () => void process.off("SIGINT", act);
    },
    input: () => createReadStream("", { fd: 0, autoClose: false }),
    ...(process.stdin.isTTY === true && { askSecret }),
  };
}

/** Reads a line from the terminal, which shows nothing of it. An interrupt ends the process, as it does elsewhere. */
async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return await lines.question("");
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

const colours = { green: 32, yellow: 33, red: 31 } as const;

/** The text in a colour where the terminal may use one. */
export function coloured(terminal: Terminal, colour: keyof typeof colours, text: string): string {
  return terminal.colour ? `\u001b[${colours[colour]}m${text}\u001b[0m` : text;
}

/** The text without anything a terminal would obey: control characters and direction overrides become `\u{hex}`. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
