import {
  AuthorityAxis,
  DelegationServiceService,
  type ListAuthorityRequest,
} from "../../gen/imagetrust/v1/delegation.ts";
import { type AuthoritySizes, laid, layAuthority } from "./authority-data.ts";
import type { Caller } from "./caller.ts";
import { defineMeasure, type Measure } from "./measure.ts";

const mostMs = 5;
const pageSize = 100;

interface Sizes extends AuthoritySizes {
  /** Of each kind. */
  readonly calls: number;
}

/** ListAuthority, pages of 100: the greatest p99 of both questions on both axes, now and in the past, beside the limit. */
export const authority: Measure = defineMeasure({
  name: "authority",
  wanted: { ratio: 1, meaning: "at most" },
  full: { collections: 10_000, teams: 200, members: 5_000, calls: 400 },
  short: { collections: 20, teams: 4, members: 20, calls: 3 },
  run: async (site, sizes: Sizes) =>
    site.withService(async (service) => {
      await layAuthority(service.databaseUrl, sizes);
      const [caller] = await service.callers(1);
      const found: Found[] = [];
      for (const kind of kindsOf(sizes)) found.push(await measure(caller, kind, sizes.calls));
      const slowest = Math.max(...found.map(({ p99 }) => p99));
      const told = found.map(
        ({ name, p50, p99, rows }) => `${name} ${p50.toFixed(1)}/${p99.toFixed(1)} (${rows.toFixed(0)} rows)`,
      );
      return {
        ours: slowest,
        peer: mostMs,
        ratio: slowest / mostMs,
        unit: "ms",
        conditions:
          `the greatest p99 against the limit; ${sizes.collections} collections, ${sizes.teams} teams, ${sizes.members} members, pages ` +
          `of ${pageSize}, ${sizes.calls} calls of each kind one after another over mutual TLS; p50/p99 in ms: ${told.join(", ")}`,
      };
    }),
});

interface Kind {
  readonly name: string;
  question(number: number): Partial<ListAuthorityRequest>;
}

/** Everything by member, key and team, team 0 apart, which may sign all there is; and everyone by repository. */
function kindsOf({ collections, teams, members }: AuthoritySizes): readonly Kind[] {
  const past = new Date(Date.now() - 100 * 86_400_000);
  const subjects = {
    gun: (number: number) => ({ gun: laid.gun((number * 7_919) % collections) }),
    member: (number: number) => ({ member: laid.member((number * 7_919) % members) }),
    key: (number: number) => ({ key: laid.key((number * teams) % members) }),
    team: (number: number) => ({ team: laid.team(number % 2 === 0 ? 0 : number % teams) }),
  };
  return Object.entries(subjects).flatMap(([subject, of]) =>
    ([AuthorityAxis.DECIDED, AuthorityAxis.LIVE] as const).flatMap((axis) =>
      [undefined, past].map((asOf) => ({
        name: `${subject} ${axis === AuthorityAxis.LIVE ? "live" : "decided"} ${asOf === undefined ? "now" : "past"}`,
        question: (number: number) => ({ ...of(number), axis, ...(asOf === undefined ? {} : { asOf }) }),
      })),
    ),
  );
}

interface Found {
  readonly name: string;
  readonly p50: number;
  readonly p99: number;
  /** On average. */
  readonly rows: number;
}

const warmingCalls = 20;

/** Every second call asks for the page behind the one before, where there is one. */
async function measure(caller: Caller, { name, question }: Kind, calls: number): Promise<Found> {
  const times: number[] = [];
  let rows = 0;
  let pageToken = "";
  for (let number = -warmingCalls; number < calls; number++) {
    const asked = question(Math.abs(number) >> 1);
    const began = performance.now();
    const answer = await caller.call(DelegationServiceService.listAuthority, { ...asked, pageSize, pageToken });
    if (number >= 0) times.push(performance.now() - began);
    rows += answer.authorities.length;
    pageToken = number % 2 === 0 ? answer.nextPageToken : "";
  }
  times.sort((one, other) => one - other);
  const at = (share: number): number => times[Math.floor(share * times.length)] ?? 0;
  return { name, p50: at(0.5), p99: at(0.99), rows: rows / (calls + warmingCalls) };
}
