import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ServiceError } from "@grpc/grpc-js";
import fc from "fast-check";
import { type Outcome, PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import type { ChangeOptions } from "../../../src/changes/options.ts";
import { type Gun, targetsRole } from "../../../src/names.ts";
import { refusedBy } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { createTeam, freshCertificate, makeTeam } from "./story.ts";

const teams = TeamServiceService;
const delegations = DelegationServiceService;

let house: House;
before(async () => {
  house = await openHouse({ publishing: true });
});
after(() => house.stop());

type Act =
  | {
      readonly kind: "delegate";
      readonly gun: number;
      readonly team: number;
      readonly paths: readonly string[];
      readonly exclude: boolean;
    }
  | { readonly kind: "undelegate"; readonly gun: number; readonly team: number }
  | { readonly kind: "add" | "remove"; readonly team: number; readonly member: number }
  | { readonly kind: "submit" | "revoke"; readonly member: number };

const [gun, team, member] = [1, 2, 3].map((max) => fc.nat({ max })) as [
  fc.Arbitrary<number>,
  fc.Arbitrary<number>,
  fc.Arbitrary<number>,
];
const paths = fc.constantFrom([], ["1."], ["1.", "2."], [""]);
const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("delegate" as const), gun, team, paths, exclude: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("undelegate" as const), gun, team }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("add" as const), team, member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), team, member }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("submit" as const, "revoke" as const), member }) },
);

/** Names of one run: nothing of an earlier run is touched again. */
interface Cast {
  readonly guns: readonly string[];
  readonly teams: readonly string[];
  readonly members: readonly string[];
}

let runs = 0;

/** Two teams of one member each and an empty one; two GUNs, of which the first has the first team. */
async function setStage(): Promise<Cast> {
  runs += 1;
  const cast: Cast = {
    guns: ["nginx", "redis"].map((name) => `dtr.example.org/run-${runs}/${name}`),
    teams: ["t0", "t1", "t2"].map((name) => `run-${runs}-${name}`),
    members: ["m0", "m1", "m2", "m3"].map((name) => `run-${runs}-${name}`),
  };
  await Promise.all([
    ...[0, 1].map((at) => makeTeam(house.admin, cast.teams[at] ?? "", [cast.members[at] ?? ""])),
    createTeam(house.admin, cast.teams[2] ?? ""),
  ]);
  await Promise.all(
    cast.guns.map((name, at) =>
      house.admin.send(TrustServiceService.initializeTrust, {
        gun: name,
        teams: at === 0 ? [{ team: cast.teams[0] ?? "", paths: [], excludeFromReleases: false }] : [],
      }),
    ),
  );
  return cast;
}

/** Sends an act; answers how it ended. A certificate is made once, for the question and the act. */
async function sender(cast: Cast, act: Act): Promise<(options: Partial<ChangeOptions>) => Promise<Ended>> {
  const { admin } = house;
  const names = {
    gun: "gun" in act ? (cast.guns[act.gun] ?? "") : "",
    team: "team" in act ? (cast.teams[act.team] ?? "") : "",
    member: "member" in act ? (cast.members[act.member] ?? "") : "",
  };
  const revoked = act.kind === "revoke" ? await newestCertificate(names.member) : "";
  const certificatePem = freshCertificate();
  const send = (options: Partial<ChangeOptions>): Promise<{ readonly outcome: Outcome | undefined }> => {
    if (act.kind === "delegate") {
      return admin.send(delegations.delegate, {
        ...names,
        paths: act.paths,
        excludeFromReleases: act.exclude,
        options,
      });
    }
    if (act.kind === "undelegate") return admin.send(delegations.undelegate, { ...names, options });
    if (act.kind === "add") return admin.send(teams.addMember, { ...names, options });
    if (act.kind === "remove") return admin.send(teams.removeMember, { ...names, options });
    if (act.kind === "submit") return admin.send(teams.submitCertificate, { ...names, certificatePem, options });
    const revocationReason = RevocationReason.SUPERSEDED;
    return admin.send(teams.revokeCertificate, { certificate: revoked, revocationReason, options });
  };
  return (options) =>
    send(options).then(
      ({ outcome }) => outcome ?? assert.fail("no outcome"),
      (error: ServiceError) => refusedBy(error).reason,
    );
}

/** The outcome, or the reason of the refusal. */
type Ended = Outcome | string;

async function newestCertificate(member: string): Promise<string> {
  const { certificates } = await house.admin.send(teams.listCertificates, { member });
  return certificates.at(-1)?.id ?? "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11";
}

interface Role {
  readonly keys: readonly string[];
  readonly paths: readonly string[];
}
/** The delegation roles by `<gun> <role>`, as Notary serves them. */
type Files = ReadonlyMap<string, Role>;

async function readFiles(cast: Cast): Promise<Files> {
  const files = new Map<string, Role>();
  const notary = house.core.trust.notaries.byName("main");
  for (const name of cast.guns) {
    const bytes = await notary.readCurrent(name as Gun, targetsRole, AbortSignal.timeout(10_000));
    const { delegations } = JSON.parse(String(bytes)).signed;
    const named = new Set<string>();
    for (const role of delegations.roles) {
      assert.equal(role.threshold, 1);
      for (const id of role.keyids) named.add(id);
      files.set(`${name} ${role.name}`, { keys: [...role.keyids].sort(), paths: [...role.paths].sort() });
    }
    assert.deepEqual(new Set(Object.keys(delegations.keys)), named);
  }
  return files;
}

/** The files as a plan says that they become. */
function applied(before: Files, { plan }: Outcome): Files {
  assert.equal(plan?.truncated, false);
  const files = new Map(before);
  for (const role of plan?.roles ?? []) {
    const name = `${role.gun} ${role.role}`;
    const held = files.get(name);
    assert.equal(role.roleCreated, held === undefined, name);
    if (role.roleRemoved) files.delete(name);
    else {
      files.set(name, {
        keys: changed(held?.keys ?? [], role.keysAdded.map(idOf), role.keysRemoved.map(idOf)),
        paths: changed(held?.paths ?? [], role.pathsAdded, role.pathsRemoved),
      });
    }
  }
  return files;
}

const idOf = (key: { readonly tufKeyId: string }): string => key.tufKeyId;

/** A plan must add only what is not there, and remove only what is. */
function changed(held: readonly string[], added: readonly string[], removed: readonly string[]): readonly string[] {
  assert.ok(added.every((one) => !held.includes(one)));
  assert.ok(removed.every((one) => held.includes(one)));
  return [...held.filter((one) => !removed.includes(one)), ...added].sort();
}

test("what Notary serves is what it served before with the plan applied, and what was previewed", async () => {
  const states: PublicationState[] = [];
  const property = fc.asyncProperty(fc.array(acts, { minLength: 9, maxLength: 9 }), async (sequence) => {
    const cast = await setStage();
    let files = await readFiles(cast);
    for (const act of sequence) {
      const send = await sender(cast, act);
      const accepting = { acceptWithoutSigner: act.kind !== "remove", acceptOrphaned: true };
      const question = await send({ ...accepting, validateOnly: true });
      const planEtag = typeof question === "string" ? "" : question.planEtag;
      const ended = await send({ ...accepting, planEtag });
      if (typeof ended === "string" || typeof question === "string") assert.equal(ended, question);
      else {
        const live: readonly PublicationState[] = [PublicationState.PUBLISHED, PublicationState.UNCHANGED];
        assert.ok(live.includes(ended.state), `${JSON.stringify(act)}: ${ended.state}`);
        states.push(ended.state);
        files = applied(files, ended);
      }
      assert.deepEqual(await readFiles(cast), files, JSON.stringify(act));
    }
  });
  await fc.assert(property, { numRuns: 4, endOnFailure: true });
  assert.ok(states.filter((state) => state === PublicationState.PUBLISHED).length >= 5, String(states));
});
