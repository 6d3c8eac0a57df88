import type { Knex } from "knex";

/** What judging a landing needs: which targets were followed last, and whom every delegation file names as its signers. */
export async function up(knex: Knex): Promise<void> {
  for (const part of [landings, claims, introductions, grants]) await knex.raw(part);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}

const landings = `
alter table followed add column targets_sha256 bytea check (octet_length(targets_sha256) = 32);
comment on column followed.targets_sha256 is 'our targets file that the last snapshot followed names; null: not known';`;

/** The keys that the bytes of a kept file `k` name as signers. They stand there as they are, so that nothing has to be parsed. */
export const claimedKeys = `array(
  select distinct m[1] from regexp_matches(encode(k.bytes, 'escape'), '"keyid"\\s*:\\s*"([0-9a-f]{64})"', 'g') as m)`;

const claims = `
alter table delegation_files add column claimed_by text[] not null default '{}';
update delegation_files f set claimed_by = ${claimedKeys} from kept_files k where k.sha256 = f.sha256 and f.version > 0;
alter table delegation_files alter column claimed_by drop default;
comment on column delegation_files.claimed_by is 'TUF ids of the keys that its signatures name, whoever holds them: a key that joins its role later makes it valid';
create index delegation_files_claimed on delegation_files using gin (claimed_by);`;

const introductions = `
create index signatures_by_file on signatures(from_file) where valid_to is null;`;

const grants = `
grant update (is_valid, signed_by) on delegation_files to imagetrust_app;`;
