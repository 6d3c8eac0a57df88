import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type pg from "pg";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, targetsPayload } from "../../src/tuf/payload.ts";

/** A file as notary-server stores it. */
export interface NotaryRow {
  readonly id: number;
  readonly gun: string;
  readonly role: string;
  readonly version: number;
  readonly data: Buffer;
  readonly sha256: string;
}

/** Every row of a GUN with all its columns, oldest first; `notary` is a connection to notary-server's own database. */
export async function rowsOf(notary: pg.Client, gun: string): Promise<readonly NotaryRow[]> {
  return (await notary.query<NotaryRow>("select * from tuf_files where gun = $1 order by id", [gun])).rows;
}

/** Root and targets among the rows: the files that only we write. */
export function ownFiles(rows: readonly NotaryRow[]): readonly string[] {
  return rows
    .filter(({ role }) => /^(root|targets)$/.test(role))
    .map((row) => `${row.version}.${row.role} ${row.sha256}`);
}

/** The roles that the newest targets file on Notary delegates to. */
export async function delegatedOnNotary(notary: pg.Client, gun: string): Promise<readonly string[]> {
  const [newest] = (await rowsOf(notary, gun))
    .filter((row) => row.role === "targets")
    .sort((a, b) => b.version - a.version);
  return parseTargets(newest?.data ?? Buffer.alloc(0))
    .content.roles.map((role) => role.name.slice("targets/".length))
    .sort();
}

/** Makes the GUN's rows those given, and no others. */
export async function putBack(notary: pg.Client, gun: string, rows: readonly NotaryRow[]): Promise<void> {
  await notary.query("delete from tuf_files where gun = $1", [gun]);
  for (const row of rows) await insertFile(notary, row);
}

/** Gives a GUN the trust of another one, as if somebody else had made it. */
export async function copyTrust(notary: pg.Client, from: string, to: string): Promise<void> {
  for (const row of await rowsOf(notary, from)) await insertFile(notary, { ...row, gun: to });
}

type NewFile = Pick<NotaryRow, "gun" | "role" | "version" | "data" | "sha256">;

async function insertFile(notary: pg.Client, { gun, role, version, data, sha256 }: NewFile): Promise<void> {
  await notary.query(
    `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256) values (now(), now(), $1, $2, $3, $4, $5)`,
    [gun, role, version, data, sha256],
  );
}

const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const strangerKey: TufKey = { keyType: "ecdsa", public: stranger.publicKey.export({ type: "spki", format: "der" }) };

/** The GUN's newest targets file with a stranger's key in each delegation, signed by that key, at its own version or a later one. */
export async function forgedTargets(notary: pg.Client, gun: string, later = 0): Promise<NewFile> {
  const rows = (await rowsOf(notary, gun)).filter((row) => row.role === "targets");
  const { content } = parseTargets(rows.at(-1)?.data ?? Buffer.alloc(0));
  const strangerId = tufKeyIdOf(strangerKey);
  const version = content.version + later;
  const payload = targetsPayload({
    ...content,
    version,
    keys: [...content.keys, strangerKey],
    roles: content.roles.map((role) => ({ ...role, keyIds: [...role.keyIds, strangerId] })),
  });
  const sig = sign("sha256", payload, { key: stranger.privateKey, dsaEncoding: "ieee-p1363" });
  const data = envelopeOf(payload, [{ keyId: strangerId, method: "ecdsa", sig }]);
  return { gun, role: "targets", version, data, sha256: createHash("sha256").update(data).digest("hex") };
}

/** Lays a forged targets file over the one of its version, or beside the others where there is none. */
export async function layTargets(notary: pg.Client, { gun, role, version, data, sha256 }: NewFile): Promise<void> {
  const laid = await notary.query(
    "update tuf_files set data = $4, sha256 = $5 where gun = $1 and role = $2 and version = $3",
    [gun, role, version, data, sha256],
  );
  if (laid.rowCount === 0) await insertFile(notary, { gun, role, version, data, sha256 });
}
