import { createRequire } from "node:module";
import { relative } from "node:path";
import { after, suite } from "node:test";
import { projectRoot } from "./folder.ts";
import { keepPostgres } from "./shared-postgres.ts";

/**
 * Runs test files one after another in this process, each as a suite with hooks of its own. Loading what they share,
 * warming to it and a PostgreSQL cluster are paid for once. A file alone runs as it would by itself, and only such a file may
 * have a top-level await.
 */
export async function runTogether(files: readonly string[]): Promise<void> {
  const [first, ...others] = files;
  if (first !== undefined && others.length === 0) return await import(first);
  after(keepPostgres());
  const require = createRequire(import.meta.url);
  // Loaded within its suite at once, so that what it registers becomes the suite's.
  for (const file of files) suite(relative(projectRoot, file), { timeout: 240_000 }, () => void require(file));
}
