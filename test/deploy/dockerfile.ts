import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../stack/folder.ts";

export interface Instruction {
  /** In capitals. */
  readonly name: string;
  readonly words: string;
}

export interface Stage {
  readonly base: string;
  /** Empty for a stage without one. */
  readonly alias: string;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  /** The stage it copies from; undefined: the build's context. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Reads a Dockerfile of this project: stages with their instructions, continued lines joined, comments left out. */
export function readStages(path: string): readonly Stage[] {
  const text = readFileSync(join(projectRoot, path), "utf8");
  const lines = text.replaceAll(/^#.*\n/gm, "").replaceAll(/\\\n\s*/g, "");
  const stages: { base: string; alias: string; instructions: Instruction[] }[] = [];
  for (const line of lines.split("\n").filter((it) => it.trim() !== "")) {
    const [, name = "", words = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    const [, base = "", alias = ""] = /^(\S+)(?: AS (\S+))?$/.exec(words) ?? [];
    if (name === "FROM") stages.push({ base, alias, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, words });
  }
  return stages;
}

export function finalStageOf(stages: readonly Stage[]): Stage {
  const stage = stages.at(-1);
  if (stage === undefined) throw new Error("a Dockerfile without a stage");
  return stage;
}

/** What the last instruction of a name says. */
export function lastOf(stage: Stage, name: string): string {
  return stage.instructions.findLast((it) => it.name === name)?.words ?? "";
}

export function copiesOf(stage: Stage): readonly Copy[] {
  return stage.instructions
    .filter(({ name }) => name === "COPY")
    .map(({ words }) => {
      const from = /--from=(\S+)/.exec(words)?.[1];
      const paths = words.split(/\s+/).filter((word) => !word.startsWith("--"));
      return { from, sources: paths.slice(0, -1), target: paths.at(-1) ?? "" };
    });
}

/** The variables that a stage sets. */
export function environmentOf(stage: Stage): Readonly<Record<string, string>> {
  const pairs = stage.instructions.filter(({ name }) => name === "ENV").flatMap(({ words }) => words.split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => [pair.replace(/=.*/, ""), pair.replace(/^[^=]*=/, "")]));
}

/** The words of an instruction in exec form, also behind options, as in `--interval=10s CMD ["a", "b"]`. */
export function execForm(words: string): readonly string[] {
  return JSON.parse(words.slice(words.indexOf("["))) as readonly string[];
}
