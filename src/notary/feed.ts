/**
 * One row of a changefeed: something about a GUN changed. It says neither who, nor which role. `gun` is what the server says, and
 * may name nothing; `version` and `sha256` are the new timestamp's, 0 and empty for a deletion.
 */
export interface FeedRow {
  readonly id: bigint;
  readonly gun: string;
  readonly version: number;
  readonly sha256: string;
}

/**
 * Reads an answer of the changefeed; undefined for what is none. A row without a usable id is left out, and anything else that is
 * missing in a row is empty. Source: Notary, server/storage/sql_models.go, Change.
 */
export function parseFeed(body: Buffer): readonly FeedRow[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const records = fieldOf(parsed, "records");
  // Go writes an empty list as null.
  if (records === null) return [];
  if (!Array.isArray(records)) return undefined;
  const rows = records.flatMap((record) => rowOf(record) ?? []);
  return rows.sort((one, other) => (one.id < other.id ? -1 : 1));
}

function rowOf(record: unknown): FeedRow | undefined {
  const id = String(fieldOf(record, "ID"));
  if (!/^[0-9]{1,18}$/.test(id)) return undefined;
  const version = fieldOf(record, "Version");
  return {
    id: BigInt(id),
    gun: textOf(fieldOf(record, "GUN")),
    version: Number.isSafeInteger(version) ? (version as number) : 0,
    sha256: textOf(fieldOf(record, "SHA256")),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" && value.length <= 255 ? value : "";
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
