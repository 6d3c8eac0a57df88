import type { Transaction } from "../../database.ts";
import type { CanonicalKeyId, MemberId, RoleName, TeamId } from "../../names.ts";
import { certificates, type Expiring, memberFiles } from "./expiring-store.ts";

/** An end that has come nearer than a threshold, which nobody was told before. */
export interface Notice extends Pick<Expiring, "name" | "version" | "endsAt"> {
  readonly kind: "DELEGATION" | "CERTIFICATE";
  readonly role: RoleName | "";
  readonly member: MemberId | "";
  /** The key of a certificate. */
  readonly key: CanonicalKeyId | null;
  /** The teams of a certificate's member. */
  readonly teams: readonly TeamId[];
  /** The threshold: 60, 30, 7, or 0 on the last day. */
  readonly days: number;
}

/** The nearest threshold that an end has passed. */
const threshold = `case when e.ends_at <= cast(:now as timestamptz) + interval '1 day' then 0
  when e.ends_at <= cast(:now as timestamptz) + interval '7 days' then 7
  when e.ends_at <= cast(:now as timestamptz) + interval '30 days' then 30 else 60 end`;

/**
 * Takes the next notices, soonest end first, so that nobody else takes them: of what has passed several thresholds only the nearest.
 * What another transaction is taking just now is waited for and left out. None are left when it answers an empty list.
 */
export async function takeNotices(tx: Transaction, now: Date, limit: number): Promise<readonly Notice[]> {
  for (;;) {
    const found = await tx.rows<Notice>(
      `select n.kind, n.name, n.role, n.version, n.member, n.ends_at as "endsAt", n.days, x.canonical_key_id as key,
         array(select m.team_id from memberships m where m.member_id = n.member and m.valid_to is null order by 1) as teams
       from (select e.*, ${threshold} as days from (${memberFiles} union all ${certificates}) e
         where e.ends_at <= cast(:now as timestamptz) + interval '60 days') n
       left join certificates x on n.kind = 'CERTIFICATE' and x.id::text = n.name
       where not exists (select from expiry_notices s where s.kind = n.kind and s.name = n.name and s.role = n.role
         and s.ends_at = n.ends_at and s.days <= n.days)
       order by n.ends_at, n.kind, n.name, n.role limit :limit`,
      { now, limit },
    );
    if (found.length === 0) return [];
    const taken = await tx.rows<Pick<Notice, "kind" | "name" | "role">>(
      `insert into expiry_notices(kind, name, role, ends_at, days, noticed_at)
       select f.kind, f.name, f.role, f.ends_at, f.days, :now
       from unnest(cast(:kinds as text[]), cast(:names as text[]), cast(:roles as text[]), cast(:ends as timestamptz[]),
         cast(:days as int[])) as f(kind, name, role, ends_at, days)
       order by f.kind, f.name, f.role
       on conflict do nothing returning kind, name, role`,
      {
        now,
        kinds: found.map(({ kind }) => kind),
        names: found.map(({ name }) => name),
        roles: found.map(({ role }) => role),
        ends: found.map(({ endsAt }) => endsAt),
        days: found.map(({ days }) => days),
      },
    );
    const ids = new Set(taken.map(({ kind, name, role }) => `${kind} ${name} ${role}`));
    const ours = found.filter(({ kind, name, role }) => ids.has(`${kind} ${name} ${role}`));
    if (ours.length > 0) return ours;
  }
}
