import fc from "fast-check";

/** One decision; names are bare. */
export type Step = { readonly noWait: boolean } & (
  | {
      readonly act: "delegate";
      readonly gun: string;
      readonly team: string;
      readonly paths: readonly string[];
      readonly excluded: boolean;
    }
  | { readonly act: "undelegate"; readonly gun: string; readonly team: string }
  | { readonly act: "add" | "remove"; readonly team: string; readonly member: string }
  | { readonly act: "submit" | "replace" | "revoke" | "leave"; readonly member: string }
);

export interface Names {
  readonly guns: readonly string[];
  readonly teams: readonly string[];
  readonly members: readonly string[];
}

/** Any sequence of decisions, behind some that make sure that there is somebody to decide about. */
export function walks(names: Names): fc.Arbitrary<readonly Step[]> {
  const gun = fc.constantFrom(...names.guns);
  const team = fc.constantFrom(...names.teams);
  const member = fc.constantFrom(...names.members);
  const noWait = fc.boolean();
  const delegate = { act: fc.constant("delegate" as const), gun, team, noWait };
  const wide = fc.record({ ...delegate, paths: fc.constant([]), excluded: fc.boolean() });
  const narrow = fc.record({ ...delegate, paths: fc.constantFrom(["v1"], ["v1", "v2"]), excluded: fc.constant(true) });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: wide },
    { weight: 3, arbitrary: narrow },
    { weight: 4, arbitrary: fc.record({ act: fc.constant("undelegate" as const), gun, team, noWait }) },
    { weight: 5, arbitrary: fc.record({ act: fc.constant("add" as const), team, member, noWait }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant("remove" as const), team, member, noWait }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant("submit" as const), member, noWait }) },
    {
      weight: 2,
      arbitrary: fc.record({ act: fc.constantFrom("replace" as const, "revoke" as const), member, noWait }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant("leave" as const), member, noWait }) },
  );
  const beginning = names.members.flatMap((one, at): readonly Step[] => {
    const [ofMember = "", next = ""] = [names.teams[at], names.teams[at - 1] ?? names.teams[0]];
    return [
      { act: "add", team: ofMember, member: one, noWait: true },
      { act: "submit", member: one, noWait: true },
      { act: "add", team: next, member: one, noWait: true },
      { act: "delegate", gun: names.guns[at % 2] ?? "", team: ofMember, paths: [], excluded: false, noWait: false },
    ];
  });
  return fc.array(step, { minLength: 16, maxLength: 20, size: "max" }).map((more) => [...beginning, ...more]);
}

/** A right as the model writes it down. */
export interface ModelRow {
  readonly gun: string;
  readonly team: string;
  readonly member: string;
  readonly key: string;
  /** What else a row says. */
  readonly text: string;
}

/** What held behind one decision: from some instant of `began`..`ended` to the next decision. */
export interface Moment {
  readonly began: Date;
  readonly ended: Date;
  readonly rows: readonly ModelRow[];
}

/** What the decisions say in memory, one at a time, with all that ever held. */
export class AuthorityModel {
  readonly moments: Moment[] = [];
  readonly #teams = new Map<string, Set<string>>();
  readonly #keys = new Map<string, string>();
  readonly #granted = new Map<string, Extract<Step, { act: "delegate" }>>();

  /** Takes a step that was accepted; `key` is the fresh key of a submission or a replacement, `gone` are those that were revoked. */
  take(step: Step, key: string | undefined, gone: readonly string[]): void {
    if (step.act === "delegate") this.#granted.set(`${step.gun} ${step.team}`, step);
    if (step.act === "undelegate") this.#granted.delete(`${step.gun} ${step.team}`);
    if (step.act === "add") this.#teams.set(step.team, (this.#teams.get(step.team) ?? new Set()).add(step.member));
    if (step.act === "remove") this.#teams.get(step.team)?.delete(step.member);
    if (step.act === "leave") {
      for (const members of this.#teams.values()) members.delete(step.member);
      for (const [one, member] of this.#keys) if (member === step.member) this.#keys.delete(one);
    }
    if (key !== undefined && "member" in step) this.#keys.set(key, step.member);
    for (const one of gone) this.#keys.delete(one);
  }

  note(began: Date, ended: Date): void {
    const rows = [...this.#granted.values()].flatMap(({ gun, team, paths, excluded }) =>
      [...this.#keys]
        .filter(([, member]) => this.#teams.get(team)?.has(member))
        .map(([key, member]) => {
          const covered = paths.length === 0 ? "" : paths.join();
          return {
            gun,
            team,
            member,
            key,
            text: `${gun} targets/${team} (${covered}) ${excluded ? "" : "released "}${key}`,
          };
        }),
    );
    this.moments.push({ began, ended, rows: rows.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)) });
  }
}

const orderOf = ({ gun, team, key }: ModelRow): string => `${gun} ${team} ${key}`;
