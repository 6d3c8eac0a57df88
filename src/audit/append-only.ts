import type { Queryable } from "../database.ts";
import { Fault } from "../errors.ts";

/**
 * Refuses to serve with a role that could change or remove what is in the audit log, with the log's triggers missing, or
 * with commits that need not survive a crash. To be called at start-up; the Fault says what to do.
 */
export async function requireAppendOnly(db: Queryable): Promise<void> {
  const faults = [...(await powersOver(db)), ...(await missingTriggers(db)), ...(await forgetfulness(db))];
  if (faults.length === 0) return;
  throw new Fault("DATABASE_UNAVAILABLE", `The audit log is not safe in this database: ${faults.join("; ")}.`);
}

/** The log's tables with all their partitions. */
const logTables = `
  select c.oid, c.oid::regclass::text as name from pg_class c
  where c.oid in ('audit.entry'::regclass, 'audit.entry_about'::regclass, 'audit.time_index'::regclass)
     or c.oid in (select inhrelid from pg_inherits where inhparent = 'audit.entry'::regclass)`;

async function powersOver(db: Queryable): Promise<readonly string[]> {
  const rows = await db.rows<{ role: string; name: string; power: string }>(
    `select current_user as role, name, power
     from (${logTables}) as tables, unnest(array['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) as power
     where has_table_privilege(tables.oid, power) or (power = 'UPDATE' and has_any_column_privilege(tables.oid, power))
     order by name, power`,
  );
  const [first] = rows;
  if (first === undefined) return [];
  return [
    `the role ${first.role} may ${first.power} ${first.name}; serve as imagetrust_app or another role that is neither ` +
      "superuser nor owner and has no more rights than it",
  ];
}

async function missingTriggers(db: Queryable): Promise<readonly string[]> {
  const rows = await db.rows<{ name: string; trigger: string }>(
    `select name, trigger from (${logTables}) as tables, unnest(array['append_only', 'never_truncated']) as trigger
     where not exists(select from pg_trigger where tgrelid = tables.oid and tgname = trigger and tgenabled in ('O', 'A'))
     order by name, trigger`,
  );
  return rows.map(
    ({ name, trigger }) => `the trigger ${trigger} of ${name} is missing or disabled; create it again as the owner`,
  );
}

async function forgetfulness(db: Queryable): Promise<readonly string[]> {
  const row = await db.row<{ setting: string }>("select current_setting('synchronous_commit') as setting");
  const setting = row?.setting ?? "";
  if (setting === "on" || setting === "remote_apply") return [];
  return [`synchronous_commit is ${setting}; a pooler or proxy must let the service set it to on`];
}
