import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import type { Outcome } from "../../src/changes/outcome.ts";
import { Fault } from "../../src/errors.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { standingOf } from "../fault/publications.ts";
import { ecPair, hex, makeCertificate } from "../x509/make-certificate.ts";
import { addTo, removeFrom, revokeKeyOf, submitFor, undelegateFrom } from "./acts.ts";
import { delegateTo, gunOf, type House, initialize, joinTeam, makeCall, makeTeam, openHouse } from "./house.ts";
import { type Identity, makeIdentity } from "./identity.ts";
import { pushSigned, signersOnNotary } from "./signers.ts";

let house: House;
before(async () => {
  house = await openHouse();
  await makeTeam(house.core, "others");
});
after(() => house.stop());

/** A collection of two teams, whose tags one member of the first team has signed. */
interface Signed {
  readonly gun: string;
  readonly team: string;
  /** Signed the files. */
  readonly signer: string;
  readonly identity: Identity;
}

const tags = ["1.0", "1.1"];

async function makeSigned(name: string): Promise<Signed> {
  const [team, signer, colleague] = [name, `${name}-signer`, `${name}-colleague`];
  const [identity] = await makeTeam(house.core, team, [signer, colleague]);
  assert.ok(identity);
  const gun = `dtr.example.org/guards/${name}`;
  await initialize(house.core, gun, [team, "others"]);
  for (const role of [`targets/${team}`, "targets/releases"]) {
    await pushSigned(house.core, [identity], { gun, role, version: 1, tags });
  }
  return { gun, team, signer, identity };
}

type Options = Partial<ChangeOptions>;
type Act = (of: Signed, options?: Options) => Promise<{ readonly outcome: Outcome }>;

interface Case {
  readonly name: string;
  readonly act: Act;
  /** The roles whose tags lose their only valid signature. */
  readonly orphans: (team: string) => readonly string[];
  /** Those of them that stay on Notary. */
  readonly shown: (team: string) => readonly string[];
}

const everyRole = (team: string) => [`targets/${team}`, "targets/releases"];

const removals: readonly Case[] = [
  {
    name: "removing the member who signed",
    act: ({ team, signer }, options) => removeFrom(house.core, team, signer, options),
    orphans: everyRole,
    shown: everyRole,
  },
  {
    name: "revoking the key that signed",
    act: ({ signer }, options) => revokeKeyOf(house.core, signer, options),
    orphans: everyRole,
    shown: everyRole,
  },
  {
    name: "undelegating the team that signed",
    act: ({ gun, team }, options) => undelegateFrom(house.core, gun, team, options),
    orphans: everyRole,
    shown: () => ["targets/releases"],
  },
  {
    name: "excluding the team that signed from releases",
    act: ({ gun, team }, options) => delegateTo(house.core, gun, team, options, makeCall(), true),
    orphans: () => ["targets/releases"],
    shown: () => ["targets/releases"],
  },
];

/** The refusal of an act that must be refused and change nothing. */
async function refusalOf(of: Signed, act: () => Promise<unknown>): Promise<Fault> {
  const before = [await standingOf(house.database, of.gun), await revisions()];
  const fault = await act().then(
    () => assert.fail("must be refused"),
    (error: unknown) => error,
  );
  assert.ok(fault instanceof Fault, String(fault));
  assert.deepEqual([await standingOf(house.database, of.gun), await revisions()], before, "a refusal changes nothing");
  return fault;
}

const revisions = () => house.database.rows("select id, revision from teams order by id");

/** What a refusal tells of these roles. */
function tagsByRole(gun: string, roles: readonly string[]): Readonly<Record<string, string>> {
  const named = roles.map((role) => [`${gun} ${role}`, tags.join(",")]);
  return { ...Object.fromEntries(named), roles: String(roles.length) };
}

/** The live roles of the collection that GetTrust shows as orphaned. */
async function orphanedRoles(gun: string): Promise<readonly string[]> {
  const { publishedDelegations } = await getTrust(house.database, gunOf(gun));
  return publishedDelegations.filter(({ orphaned }) => orphaned).map(({ version }) => version.role);
}

for (const [at, { name, act, orphans, shown }] of removals.entries()) {
  test(`${name} is refused with the tags it would orphan, and accepted when asked for`, async () => {
    const signed = await makeSigned(`removal-${at}`);
    const { gun, team } = signed;
    const fault = await refusalOf(signed, () => act(signed));
    assert.equal(fault.reason, "WOULD_ORPHAN", fault.message);
    assert.deepEqual(fault.metadata, tagsByRole(gun, orphans(team)));
    assert.match(fault.message, /1\.0, 1\.1/);
    assert.match(fault.message, /accept_orphaned/);

    assert.deepEqual(await orphanedRoles(gun), []);
    const { outcome } = await act(signed, { acceptOrphaned: true });
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
    assert.deepEqual(new Set(await orphanedRoles(gun)), new Set(shown(team)));
    await checkInvariants(house, gun);
  });
}

test("a file that a remaining member signed as well is orphaned by nobody's leaving", async () => {
  const { gun, team, signer, identity } = await makeSigned("both");
  await joinTeam(house.core, team, "both-witness");
  const witness = await makeIdentity("both-witness");
  await submitFor(house.core, "both-witness", witness);
  for (const role of everyRole(team))
    await pushSigned(house.core, [identity, witness], { gun, role, version: 2, tags });
  assert.equal((await removeFrom(house.core, team, signer)).outcome.state, "PUBLISHED");
  assert.deepEqual(await orphanedRoles(gun), []);
});

test("files without tags have nothing to lose", async () => {
  const [identity] = await makeTeam(house.core, "empty", ["empty-signer", "empty-colleague"]);
  assert.ok(identity);
  const gun = "dtr.example.org/guards/empty";
  await initialize(house.core, gun, ["empty"]);
  await pushSigned(house.core, [identity], { gun, role: "targets/empty", version: 1, tags: [] });
  assert.equal((await removeFrom(house.core, "empty", "empty-signer")).outcome.state, "PUBLISHED");
});

/** Two certificates of one key: its signatures count under each by itself. */
function twoCertificates(name: string): readonly [Identity, Identity] {
  const keys = ecPair();
  const privateKeyPem = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const of = (serial: string): Identity => ({
    privateKeyPem,
    certificatePem: makeCertificate(new Date(), { name, keys, serial: hex(serial) }).pem,
  });
  return [of("01"), of("02")];
}

interface Revival {
  readonly name: string;
  /** Takes the signature's key away and answers how it comes back. */
  readonly away: (of: Signed) => Promise<Act>;
}

const accepted: Options = { acceptOrphaned: true, acceptWithoutSigner: true };

const revivals: readonly Revival[] = [
  {
    name: "delegating again to a team that had signed",
    away: async ({ gun, team }) => {
      await undelegateFrom(house.core, gun, team, accepted);
      return (_, options) => delegateTo(house.core, gun, team, options);
    },
  },
  {
    name: "adding a former member who had signed",
    away: async ({ team, signer }) => {
      await removeFrom(house.core, team, signer, accepted);
      return (_, options) => addTo(house.core, team, signer, options);
    },
  },
  {
    name: "submitting a further certificate of a key, under which files were signed before",
    away: async ({ gun, team, signer, identity }) => {
      const colleague = `${signer}-twice`;
      const [first, further] = twoCertificates(colleague);
      await joinTeam(house.core, team, colleague);
      await submitFor(house.core, colleague, first);
      for (const role of everyRole(team)) {
        await pushSigned(house.core, [identity, further], { gun, role, version: 2, tags });
      }
      await removeFrom(house.core, team, signer, accepted);
      return (_, options) => submitFor(house.core, colleague, further, options);
    },
  },
];

for (const [at, { name, away }] of revivals.entries()) {
  test(`${name} is refused with the tags it would revive, and accepted when asked for`, async () => {
    const signed = await makeSigned(`revival-${at}`);
    const { gun, team } = signed;
    const back = await away(signed);
    const fault = await refusalOf(signed, () => back(signed));
    assert.equal(fault.reason, "WOULD_REVIVE", fault.message);
    assert.deepEqual(fault.metadata, tagsByRole(gun, everyRole(team)));
    assert.match(fault.message, /accept_revived/);

    const { outcome } = await back(signed, { acceptRevived: true });
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
    assert.deepEqual(await orphanedRoles(gun), []);
    assert.ok(`targets/${team}` in (await signersOnNotary(house.core, gun)));
    await checkInvariants(house, gun);
  });
}
