import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../stack/folder.ts";

interface Pattern {
  readonly expression: RegExp;
  readonly keeps: boolean;
}

/**
 * Whether .dockerignore lets a file of the project reach a build. As in Docker the last pattern that matches decides, and a pattern
 * that matches a folder matches all below it.
 */
export function reachesBuild(path: string): boolean {
  const parts = path.split("/");
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  const deciding = patterns.findLast(({ expression }) => paths.some((it) => expression.test(it)));
  return deciding?.keeps ?? true;
}

const patterns: readonly Pattern[] = readFileSync(join(projectRoot, ".dockerignore"), "utf8")
  .split("\n")
  .map((line) => line.trim())
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => ({ expression: expressionOf(line.replace(/^!/, "")), keeps: line.startsWith("!") }));

/** As Docker reads a pattern: stars and question marks, also for names that begin with a dot. */
function expressionOf(glob: string): RegExp {
  const words = { "**": ".*", "*": "[^/]*", "?": "[^/]" } as Readonly<Record<string, string>>;
  return new RegExp(`^${glob.replaceAll(/\*\*|[*?]|[.+^${}()|[\]\\]/g, (it) => words[it] ?? `\\${it}`)}$`);
}

/** The files at or below a path of the project that a build gets, relative to the project; empty if there is nothing. */
export function contextFiles(path: string): readonly string[] {
  const below = listBelow(join(projectRoot, path));
  const files = below?.map((name) => join(path, name)) ?? [path];
  return files.filter(reachesBuild);
}

/** Undefined for a file. Throws where there is nothing. */
function listBelow(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}
