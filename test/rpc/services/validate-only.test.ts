import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Outcome, PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import type { Rpc, Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { assertRefused, bad } from "./refusals.ts";
import { addMember, createTeam, delegate, freshCertificate, initialize, makeTeam, submit } from "./story.ts";

const trust = TrustServiceService;
const teams = TeamServiceService;
const delegations = DelegationServiceService;

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
});
after(() => house.stop());

/** What each mutation acts on: a team of two that may sign a GUN, another GUN, a team that may sign nothing, an empty team. */
interface Scene {
  readonly team: string;
  readonly member: string;
  readonly certificate: string;
  readonly gun: string;
  readonly bareGun: string;
  readonly idleTeam: string;
  readonly idleMember: string;
  readonly emptyTeam: string;
  readonly rollout: string;
  readonly ruled: string;
}

async function setScene(name: string): Promise<Scene> {
  const { admin } = house;
  const scene = {
    team: `${name}-qa`,
    member: `${name}-ann`,
    gun: `dtr.example.org/${name}/nginx`,
    bareGun: `dtr.example.org/${name}/bare`,
    idleTeam: `${name}-idle`,
    idleMember: `${name}-oli`,
    emptyTeam: `${name}-empty`,
    ruled: `dtr.example.org/${name}-ruled/`,
  };
  const [[certificate]] = await Promise.all([
    makeTeam(admin, scene.team, [scene.member, `${name}-bob`]),
    makeTeam(admin, scene.idleTeam, [scene.idleMember]),
    createTeam(admin, scene.emptyTeam),
    initialize(admin, scene.bareGun),
  ]);
  await initialize(admin, scene.gun, [scene.team]);
  await admin.send(delegations.createDelegationRule, { gunPrefix: scene.ruled, team: scene.team });
  const guns = [scene.bareGun];
  const { outcome } = await admin.send(delegations.batchDelegate, {
    team: scene.idleTeam,
    guns,
    options: { noWait: true },
  });
  return { ...scene, certificate: certificate?.id ?? "", rollout: outcome?.rollout?.id ?? "" };
}

interface Mutation {
  readonly name: string;
  readonly rpc: Rpc<unknown, Answer>;
  readonly wish: (scene: Scene) => Wish<Record<string, unknown>>;
  /** What somebody else does meanwhile, so that the plan is another. */
  readonly meddle: ((scene: Scene) => Promise<unknown>) | undefined;
}

interface Answer {
  readonly outcome: Outcome | undefined;
}

function mutation<Request>(
  name: string,
  rpc: Rpc<Request, Answer>,
  wish: (scene: Scene) => Wish<Request>,
  meddle?: Mutation["meddle"],
): Mutation {
  return { name, rpc: rpc as Rpc<unknown, Answer>, wish: wish as Mutation["wish"], meddle };
}

const newKeyOf = (who: "member" | "idleMember") => (scene: Scene) => submit(house.other, scene[who]);
const newDelegation = (scene: Scene) => delegate(house.other, scene.bareGun, scene.team);
const further = freshCertificate();
const replacement = freshCertificate();

const mutations: readonly Mutation[] = [
  mutation(
    "init",
    trust.initializeTrust,
    ({ team, gun }) => ({ gun: `${gun}/new`, teams: [{ team, paths: [], excludeFromReleases: false }] }),
    newKeyOf("member"),
  ),
  mutation("delete", trust.deleteTrust, ({ gun }) => ({ gun })),
  mutation("create", teams.createTeam, ({ team }) => ({ team: `${team}-new` })),
  mutation("update", teams.updateTeam, ({ team }) => ({
    team,
    displayName: "New",
    updateMask: ["display_name"],
  })),
  mutation("drop", teams.deleteTeam, ({ emptyTeam }) => ({ team: emptyTeam })),
  mutation("add", teams.addMember, ({ team, idleMember }) => ({ team, member: idleMember }), newKeyOf("idleMember")),
  mutation("remove", teams.removeMember, ({ team, member }) => ({ team, member }), newKeyOf("member")),
  mutation("submit", teams.submitCertificate, ({ member }) => ({ member, certificatePem: further }), newDelegation),
  mutation(
    "revoke",
    teams.revokeCertificate,
    ({ certificate }) => ({ certificate, revocationReason: RevocationReason.SUPERSEDED }),
    newDelegation,
  ),
  mutation(
    "replace",
    teams.replaceCertificate,
    ({ certificate }) => ({ certificate, certificatePem: replacement }),
    newDelegation,
  ),
  mutation(
    "off-board",
    teams.revokeMember,
    ({ member }) => ({ member, revocationReason: RevocationReason.LEFT }),
    newDelegation,
  ),
  mutation("delegate", delegations.delegate, ({ gun, idleTeam }) => ({ gun, team: idleTeam }), newKeyOf("idleMember")),
  mutation(
    "batch",
    delegations.batchDelegate,
    ({ gun, bareGun, idleTeam }) => ({ team: idleTeam, guns: [gun, bareGun] }),
    newKeyOf("idleMember"),
  ),
  mutation(
    "rule",
    delegations.createDelegationRule,
    ({ gun, idleTeam }) => ({ gunPrefix: gun.slice(0, -"nginx".length), team: idleTeam }),
    newKeyOf("idleMember"),
  ),
  mutation("end-rule", delegations.deleteDelegationRule, ({ ruled, team }) => ({ gunPrefix: ruled, team })),
  mutation("stop", delegations.cancelRollout, ({ rollout }) => ({ id: rollout })),
  mutation("undelegate", delegations.undelegate, ({ gun, team }) => ({ gun, team }), newKeyOf("member")),
];

test("every mutation of the API is tried here", () => {
  const all = [trust, teams, delegations].flatMap((service) => Object.values(service) as Rpc<object, unknown>[]);
  const paths = all.filter((rpc) => "options" in rpc.requestDeserialize(Buffer.alloc(0))).map(({ path }) => path);
  assert.deepEqual(mutations.map(({ rpc }) => rpc.path).sort(), paths.sort());
});

for (const { name, rpc, wish, meddle } of mutations) {
  const method = rpc.path.slice(rpc.path.lastIndexOf("/") + 1);

  async function ask(asked: Wish<Record<string, unknown>>): Promise<Outcome> {
    await house.freshRecords();
    const rows = await house.rows();
    const { outcome } = await house.admin.send(rpc, {
      ...asked,
      options: { validateOnly: true, requestId: `id-${name}` },
    });
    assert.deepEqual(await house.rows(), rows);
    assert.deepEqual(
      (await house.freshRecords()).map(({ stage, method, request_id }) => [stage, method, request_id]),
      [["QUESTION", rpc.path.slice(1), `id-${name}`]],
    );
    assert.ok(outcome);
    assert.deepEqual(
      [outcome.validatedOnly, outcome.state, outcome.publications, outcome.rollout],
      [true, PublicationState.PENDING, [], undefined],
    );
    return outcome;
  }

  test(`${method} with validate_only changes no row, and the call that follows does what was previewed`, async () => {
    const scene = await setScene(name);
    const asked = wish(scene);
    let outcome = await ask(asked);
    if (meddle !== undefined) {
      await meddle(scene);
      const stale = { ...asked, options: { planEtag: outcome.planEtag, noWait: true } };
      await assertRefused(house, bad("", rpc, stale, "PLAN_CHANGED"));
      outcome = await ask(asked);
    }
    assert.equal((outcome.plan?.roles.length ?? 0) > 0, meddle !== undefined);
    const rows = await house.rows();
    const options = { planEtag: outcome.planEtag, noWait: true, requestId: `id-${name}` };
    const made = await house.admin.send(rpc, { ...asked, options });
    assert.deepEqual([made.outcome?.validatedOnly, made.outcome?.planEtag], [false, outcome.planEtag]);
    assert.deepEqual(withoutIds(made.outcome), withoutIds(outcome));
    assert.notDeepEqual(await house.rows(), rows);
  });
}

/** A certificate gets its id when it is kept. */
function withoutIds(outcome: Outcome | undefined): unknown {
  return outcome?.plan?.roles.map((role) => ({
    ...role,
    keysAdded: role.keysAdded.map((key) => ({ ...key, certificate: "" })),
  }));
}

test("a question about something new is answered without it", async () => {
  const { team, member, gun, idleTeam } = await setScene("new");
  const options = { validateOnly: true };
  const { admin } = house;
  const answers = [
    (await admin.send(trust.initializeTrust, { gun: `${gun}/new`, options })).trust,
    (await admin.send(teams.createTeam, { team: "brand-new", options })).team,
    (await admin.send(teams.addMember, { team, member: "brand-new", options })).member,
    (await admin.send(teams.submitCertificate, { member, certificatePem: freshCertificate(), options })).certificate,
    (await admin.send(delegations.delegate, { gun, team: idleTeam, options })).delegation,
  ];
  assert.deepEqual(
    answers,
    answers.map(() => undefined),
  );
});

test("a question that would be refused is refused as the act is", async () => {
  const { gun } = await setScene("no");
  await addMember(house.admin, "no-empty", "no-one");
  const wish = { gun, team: "no-empty", options: { validateOnly: true } };
  await assertRefused(house, bad("", delegations.delegate, wish, "NO_VALID_CERTIFICATE"));
});
