import type { Terminal } from "./terminal.ts";

/** Asks a person, and takes nothing but `yes` for a yes. */
export async function confirm(terminal: Terminal, question: string): Promise<boolean> {
  terminal.out(`${question} Type yes: `);
  let typed = "";
  for await (const chunk of terminal.input()) {
    typed += chunk.toString("utf8");
    if (typed.includes("\n")) break;
  }
  return typed.split("\n")[0]?.trim() === "yes";
}
