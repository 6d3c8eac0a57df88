/** Tells a story to a person: headed, numbered chapters with commands as typed and what they said. */
export interface Narrator {
  /** Begins the next chapter; chapters are numbered from 1. */
  chapter(title: string): void;
  /** Says something in words of our own. */
  tell(text: string): void;
  /** Shows a command as it is typed by somebody in a folder, and where that changes, how to get there. */
  typed(place: Place, line: string): void;
  /** Shows what a command said, to the letter. */
  said(output: string): void;
  /** Says that something was checked and is so. */
  kept(claim: string): void;
}

export interface Place {
  readonly who: string;
  readonly folder: string;
}

/** Narrates to a stream; colour is for terminals. */
export function createNarrator(stream: NodeJS.WritableStream, colour: boolean): Narrator {
  const painted = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const write = (text: string) => void stream.write(text);
  let chapters = 0;
  let here: Place | undefined;
  let gap = "";
  const command = (line: string) => {
    write(`${gap}${painted(cyan, `$ ${line}`)}\n`);
    gap = "";
  };
  return {
    chapter: (title) => {
      chapters += 1;
      here = undefined;
      write(`\n\n${painted(bold, `${chapters}. ${title}`)}\n`);
    },
    tell: (text) => {
      write(`\n${text}\n`);
      gap = "\n";
    },
    typed: (place, line) => {
      if (place !== here) {
        write(`\n${painted(dim, `# ${place.who}`)}\n`);
        here = place;
        gap = "";
        command(`cd ${shellWord(place.folder)}`);
      }
      command(line);
    },
    said: (output) => {
      write(output === "" || output.endsWith("\n") ? output : `${output}\n`);
      if (output !== "") gap = "\n";
    },
    kept: (claim) => {
      write(`\n${painted(green, `✔ ${claim}`)}\n`);
      gap = "\n";
    },
  };
}

const bold = 1;
const dim = 2;
const green = 32;
const cyan = 36;

/** The text as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
