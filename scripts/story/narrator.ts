/** Tells a story to a person: headed, numbered chapters with commands as typed and what they said. */
export interface Narrator {
  /** Begins the next chapter; chapters are numbered from 1. */
  chapter(title: string): void;
  /** Says something in words of our own. */
  tell(text: string): void;
  /** Shows a command as it is typed. */
  typed(line: string): void;
  /** Shows what a command said, to the letter. */
  said(output: string): void;
  /** Says that something was checked and is so. */
  kept(claim: string): void;
}

/** Narrates to a stream; colour is for terminals. */
export function createNarrator(stream: NodeJS.WritableStream, colour: boolean): Narrator {
  const painted = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const write = (text: string) => void stream.write(text);
  let chapters = 0;
  return {
    chapter: (title) => {
      chapters += 1;
      write(`\n${painted(bold, `${chapters}. ${title}`)}\n`);
    },
    tell: (text) => write(`\n${text}\n`),
    typed: (line) => write(`\n${painted(cyan, `$ ${line}`)}\n`),
    said: (output) => write(output === "" || output.endsWith("\n") ? output : `${output}\n`),
    kept: (claim) => write(`${painted(green, `✔ ${claim}`)}\n`),
  };
}

const bold = 1;
const green = 32;
const cyan = 36;
