import { createHash } from "node:crypto";

/** A statement as PostgreSQL takes it: `$n` placeholders, and a name under which a connection prepares it once. */
export interface Statement {
  readonly text: string;
  readonly name: string;
  /** The binding of each placeholder in order. */
  readonly names: readonly string[];
}

const statements = new Map<string, Statement>();
/** Statements are written in the source, so there are few; a program that makes them up must not fill the memory. */
const mostKept = 2_000;

/** Turns `:name` placeholders into `$n`; casts (`::type`) and text in quotes stay. The same SQL gives the same statement. */
export function statementOf(sql: string): Statement {
  const kept = statements.get(sql);
  if (kept !== undefined) return kept;
  const names: string[] = [];
  const text = sql.replace(/'(?:[^']|'')*'|::|:([a-zA-Z_][a-zA-Z0-9_]*)/g, (match, name?: string) => {
    if (name === undefined) return match;
    const at = names.indexOf(name);
    return `$${at === -1 ? names.push(name) : at + 1}`;
  });
  const statement = { text, names, name: createHash("sha256").update(text).digest("base64url").slice(0, 22) };
  if (statements.size < mostKept) statements.set(sql, statement);
  return statement;
}
