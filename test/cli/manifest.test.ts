import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { ChangeOptions } from "../../gen/imagetrust/v1/change.ts";
import { Delegation } from "../../gen/imagetrust/v1/delegation.ts";
import { Certificate, CertificateState, Member, MemberKind, Team } from "../../gen/imagetrust/v1/team.ts";
import { Trust } from "../../gen/imagetrust/v1/trust.ts";
import { planApply } from "../../src/cli/apply-plan.ts";
import { phase, type Step } from "../../src/cli/apply-steps.ts";
import type { Holdings } from "../../src/cli/holdings.ts";
import { manifestOf } from "../../src/cli/manifest-of.ts";
import { type CertificateReader, readManifest } from "../../src/cli/manifest-reader.ts";
import type { FileFault } from "../../src/cli/yaml-reader.ts";

/** A certificate is its own digest here: what is read of one is another test's. */
const asDigest: CertificateReader = {
  fromText: (pem) => ({ ok: true, certificate: { pem, sha256: pem, faults: [] } }),
  fromFile: (path) => ({ ok: false, fault: `cannot read ${path}` }),
};

function read(text: string) {
  const faults: FileFault[] = [];
  return { manifest: readManifest(text, asDigest, faults), faults };
}

const said = (faults: readonly FileFault[]): readonly string[] => faults.map(({ line, fault }) => `${line}: ${fault}`);

test("every fault of a file is told at once, each with its line", () => {
  const { faults } = read(`version: 2
teams:
  - id: QA
    labels: nothing
  - id: ops
    membres: []
  - id: ops
members:
  - display_name: Nobody
  - id: ann
    kind: human
    certificates:
      - pem: A
        file: a.pem
      - file: a.pem
      - pem: B
  - id: ben
    certificates: [{ pem: B }]
repositories:
  - gun: dtr.example.org/Dev
    delegations: []
  - gun: dtr.example.org/dev/nginx
    delegations:
      - team: qa
        exclude_from_releases: maybe
      - team: qa
  - gun: dtr.example.org/dev/other
`);
  assert.deepEqual(said([...faults].sort((a, b) => a.line - b.line)), [
    "1: `version: 1` must stand in the file",
    "3: `id` must be lower-case letters, digits, `_` or `-`, beginning with a letter or digit",
    "4: must be a mapping of names to values",
    "6: `membres` is none of id, display_name, labels, members",
    "7: ops stands in line 5 already",
    "9: `id` is missing",
    "11: `kind` must be person or robot",
    "13: must give either `pem` or `file`",
    "15: cannot read a.pem",
    "18: certificate B belongs to ann already",
    "20: `gun` must be lower case",
    "25: must be true or false",
    "26: qa stands in line 24 already",
    "27: `delegations` is missing; an empty list is `[]`",
  ]);
});

for (const [what, text, says] of [
  ["no YAML", "teams: [", /^1: /],
  ["the same name twice", "version: 1\nteams: []\nteams: []\n", /^3: .*unique/],
  ["two documents", "version: 1\n---\nversion: 1\n", /^\d: .*document/i],
  ["an alias", "version: 1\nteams: &a []\nmembers: *a\n", /^3: must be a list/],
  ["a list at its top", "- version: 1\n", /^1: must be a mapping/],
  ["nothing", "", /^1: `version: 1` must stand/],
  ["deep nesting", `version: 1\nteams: ${"[".repeat(100_000)}`, /^\d+: /],
  ["a tag that runs code", "version: 1\nteams: !!js/function 'x'\n", /^2: /],
] as const) {
  test(`a file with ${what} is refused with a fault`, () => {
    assert.match(said(read(text).faults)[0] ?? "", says);
  });
}

test("any text is read or refused, and never breaks the reader", () => {
  const junk = fc.string({
    unit: fc.constantFrom(..."version: 1\nteamsid-[]{}&*!|>'\"#,?%@\t\0é".split("")),
    maxLength: 80,
  });
  fc.assert(
    fc.property(junk, (text) => void read(`version: 1\n${text}`)),
    { numRuns: 300 },
  );
});

test("JSON is read as well, and scalars are what was written: no is not false, and 1.0 is not 1", () => {
  const { manifest, faults } = read(
    '{"version": 1, "teams": [{"id": "no", "labels": {"tier": 1.0, "on": true}, "members": []}]}',
  );
  assert.deepEqual(faults, []);
  assert.partialDeepStrictEqual(manifest.teams[0], { id: "no", labels: { tier: "1.0", on: "true" }, members: [] });
});

const id = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,7}$/).filter((text) => text !== "releases");
const words = fc.oneof(
  fc
    .string({ unit: "grapheme", maxLength: 12 })
    .filter((text) => !/\p{Cc}|\p{Zl}|\p{Zp}/u.test(text) && text.isWellFormed()),
  fc.constantFrom("no", "1.0", "~", "null", "- x", "a: b", "#", " ", "'", "0x10", "&a", "*a", "!!str x", "|", "true"),
);
const holdings: fc.Arbitrary<Holdings> = fc
  .record({
    teams: fc.uniqueArray(
      fc.record({ id, displayName: words, labels: fc.dictionary(fc.constantFrom("tier", "no", "a.b/c"), words) }),
      {
        selector: (team) => team.id,
        maxLength: 4,
      },
    ),
    members: fc.uniqueArray(fc.record({ id, displayName: words, robot: fc.boolean(), revoked: fc.boolean() }), {
      selector: (member) => member.id,
      maxLength: 4,
    }),
    guns: fc.uniqueArray(id, { maxLength: 4 }),
    paths: fc.array(words, { maxLength: 3 }),
    bits: fc.infiniteStream(fc.boolean()),
  })
  .map(({ teams, members, guns, paths, bits }) => {
    const some = <Item>(items: readonly Item[]): readonly Item[] => items.filter(() => bits.next().value === true);
    const held = members.map(
      (member): [string, Holdings["members"] extends ReadonlyMap<string, infer H> ? H : never] => {
        const kind = member.robot ? MemberKind.ROBOT : MemberKind.PERSON;
        const state = member.revoked ? CertificateState.REVOKED : CertificateState.ACTIVE;
        const certificates = [`${member.id}-1`, `${member.id}-2`].map((sha256) => ({
          ...Certificate.fromPartial({ sha256, pem: sha256 }),
          state,
        }));
        return [member.id, { member: { ...Member.fromPartial(member), kind }, certificates }];
      },
    );
    const memberOf = new Map(held.map(([name, { member }]) => [name, member]));
    return {
      teams: new Map(
        teams.map((team) => [team.id, { team: Team.fromPartial(team), members: some([...memberOf.values()]) }]),
      ),
      members: new Map(held),
      trusts: new Map(
        guns.map((name) => {
          const gun = `dtr.example.org/dev/${name.replaceAll(/[_-]/g, "x")}`;
          const desiredDelegations = some(teams).map((team) =>
            Delegation.fromPartial({
              gun,
              team: team.id,
              paths: [...paths].sort(),
              excludeFromReleases: bits.next().value === true,
            }),
          );
          return [gun, Trust.fromPartial({ gun, desiredDelegations })];
        }),
      ),
    };
  });

test("whatever the service holds, its export applied to it finds nothing to do and nothing to prune", () => {
  fc.assert(
    fc.property(holdings, (held) => {
      const inTeams = new Set([...held.teams.values()].flatMap(({ members }) => members.map((member) => member.id)));
      const exported = { ...held, members: new Map([...held.members].filter(([name]) => inTeams.has(name))) };
      for (const text of [
        stringify(manifestOf(exported), { lineWidth: 0 }),
        JSON.stringify(manifestOf(exported), null, 2),
      ]) {
        const { manifest, faults } = read(text);
        assert.deepEqual(faults, [], text);
        const plan = planApply(manifest, held);
        assert.deepEqual([plan.additions, plan.removals, plan.faults, plan.notes], [[], [], [], []], text);
      }
    }),
    { numRuns: 200 },
  );
});

test("what cannot be applied to what is held is told with its lines", () => {
  const held: Holdings = {
    teams: new Map([
      ["gone", { team: Team.fromPartial({ id: "gone", deleteTime: new Date() }), members: [] }],
      ["ops", { team: Team.fromPartial({ id: "ops", displayName: "Operations" }), members: [] }],
    ]),
    members: new Map([
      [
        "ann",
        {
          member: Member.fromPartial({ id: "ann", kind: MemberKind.ROBOT }),
          certificates: [{ ...Certificate.fromPartial({ sha256: "A" }), state: CertificateState.REVOKED }],
        },
      ],
    ]),
    trusts: new Map([["dtr.example.org/dev/nginx", Trust.fromPartial({ gun: "dtr.example.org/dev/nginx" })]]),
  };
  const { manifest, faults } = read(`version: 1
teams:
  - id: gone
  - id: ops
    display_name: Other
    members: [stranger]
members:
  - id: ann
    kind: person
    certificates: [{ pem: A }]
  - id: alone
repositories:
  - gun: dtr.example.org/dev/nginx
    delegations: [{ team: nobody }]
  - gun: dtr.example.org/dev/none
    delegations: []
`);
  assert.deepEqual(faults, []);
  assert.deepEqual(said(planApply(manifest, held).faults), [
    "3: team gone was deleted, and its id is never used again",
    "4: team ops exists with another display_name, which cannot be changed",
    "6: member stranger is not known; describe it under `members`",
    "8: member ann exists with another kind, which cannot be changed",
    "10: this certificate's key was revoked, and never comes back",
    "11: member alone is not known, and in no team of the file",
    "14: team nobody is not known",
    "15: dtr.example.org/dev/none has no trust; make it first: imagetrust init dtr.example.org/dev/none",
  ]);
});

async function idOf(step: Step, options = ChangeOptions.fromPartial({})): Promise<string> {
  let requestId = "";
  const send: Parameters<Step["send"]>[0] = async (method, request, id) => {
    requestId = id;
    return method.responseDeserialize(method.requestSerialize(request).subarray(0, 0));
  };
  await step.send(send, options);
  return requestId;
}

test("a step's request id follows from its request and what was held before, and additions come before removals", async () => {
  const gun = "dtr.example.org/dev/nginx";
  const text = `version: 1
teams: [{ id: qa, members: [ann] }]
members: [{ id: ann, certificates: [{ pem: A }] }]
repositories: [{ gun: ${gun}, delegations: [{ team: qa }] }]
`;
  const heldWith = (etag: string): Holdings => {
    const desiredDelegations = [Delegation.fromPartial({ gun, team: "old" })];
    const qa = { team: Team.fromPartial({ id: "qa", etag }), members: [Member.fromPartial({ id: "ben" })] };
    return {
      teams: new Map([["qa", qa]]),
      members: new Map(),
      trusts: new Map([[gun, Trust.fromPartial({ gun, etag, desiredDelegations })]]),
    };
  };
  const { manifest } = read(text);
  const plan = planApply(manifest, heldWith("1"));
  assert.deepEqual(
    plan.additions.map((step) => step.phase),
    [phase.memberships, phase.certificates, phase.delegations],
  );
  assert.deepEqual(
    plan.removals.map((step) => step.phase),
    [phase.endings, phase.leavers],
  );
  assert.ok(
    Math.max(...plan.additions.map((step) => step.phase)) < Math.min(...plan.removals.map((step) => step.phase)),
  );
  const ids = async (etag: string) => {
    const { additions, removals } = planApply(manifest, heldWith(etag));
    return await Promise.all([...additions, ...removals].map((step) => idOf(step)));
  };
  const first = await ids("1");
  assert.equal(new Set(first).size, 5);
  assert.deepEqual(await ids("1"), first);
  const later = await ids("2");
  const moved = first.filter((one, at) => one !== later[at]).length;
  assert.equal(moved, 4, "all but the certificate of a member who is not there yet");
  const [step] = plan.additions;
  assert.ok(step);
  assert.notEqual(await idOf(step, ChangeOptions.fromPartial({ reason: "because" })), first[0]);
});
