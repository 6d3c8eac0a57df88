import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { AuditServiceService } from "../../../gen/imagetrust/v1/audit.ts";
import { PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import type { ErrorReason } from "../../../src/errors.ts";
import { signPossession } from "../../../src/x509/possession.ts";
import {
  type CertificateWish,
  daysFrom,
  ecPair,
  makeCertificate,
  signatureKinds,
} from "../../x509/make-certificate.ts";
import { type House, openHouse } from "./house.ts";
import { assertRefused, type Bad, bad, invalid, testRefusals } from "./refusals.ts";
import { addMember, freshCertificate, makeTeam, submit } from "./story.ts";

const teams = TeamServiceService;
const delegations = DelegationServiceService;
const noWait = { noWait: true };

const now = new Date();
const eve = makeCertificate(now, { name: "eve" });
const revoked = makeCertificate(now, { name: "rex" });
const authority = makeCertificate(now, { name: "authority", authority: true });
const privatePem = String(ecPair().privateKey.export({ type: "pkcs8", format: "pem" }));
/** What must be found nowhere. */
const secret = privatePem.split("\n")[1] ?? "";

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  await makeTeam(admin, "qa", ["ann", "rex"]);
  await addMember(admin, "qa", "eve");
  await submit(admin, "eve", eve.pem);
  const { id } = await submit(admin, "rex", revoked.pem);
  const revocation = { certificate: id, revocationReason: RevocationReason.LEFT, options: noWait };
  await admin.send(teams.revokeCertificate, revocation);
});
after(() => house.stop());

function submitting(name: string, certificatePem: string, reason: ErrorReason, member = "ann"): Bad {
  return bad(`a certificate ${name}`, teams.submitCertificate, { member, certificatePem }, reason);
}

function malformed(name: string, certificatePem: string): Bad {
  return invalid(
    `a certificate ${name}`,
    teams.submitCertificate,
    { member: "ann", certificatePem },
    "certificate_pem",
  );
}

function malmade(name: string, wish: CertificateWish): Bad {
  return malformed(name, makeCertificate(now, wish).pem);
}

const weakRsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
const zip = Buffer.from("504b0304140000000800000021005f5f5f5f0a0000000a0000000800000063", "hex");

testRefusals(
  () => house,
  [
    ...[
      { challenge: "0A", signature: Buffer.from("x"), field: "challenge" },
      { challenge: "00".repeat(32), signature: Buffer.alloc(0), field: "signature" },
      { challenge: "00".repeat(32), signature: Buffer.alloc(2_049), field: "signature" },
    ].map(({ field, ...possessionProof }) =>
      invalid(
        `a proof with a ${field} that is none`,
        teams.submitCertificate,
        { member: "ann", certificatePem: freshCertificate(), possessionProof },
        `possession_proof.${field}`,
      ),
    ),
    malformed("that is empty", ""),
    malformed("that is no PEM", "hello"),
    malformed("that is cut off", freshCertificate().slice(0, 300)),
    malformed("that is a zip", zip.toString("base64")),
    malformed("behind its authority's", authority.pem + makeCertificate(now, { issuer: authority }).pem),
    malformed("before one that did not issue it", freshCertificate() + authority.pem),
    malmade("that has ended", { from: daysFrom(now, -9), to: daysFrom(now, -1) }),
    malmade("that begins in two days", { from: daysFrom(now, 2) }),
    malmade("signed with SHA-1", { signature: signatureKinds.ecdsaSha1 }),
    malmade("with an RSA key under 2048 bits", { keys: weakRsa, signature: signatureKinds.rsaSha256 }),
    malmade("with a key that Notary cannot verify", {
      keys: generateKeyPairSync("ed25519"),
      signature: signatureKinds.ed25519,
    }),
    malmade("with a key on another curve", { keys: ecPair("secp256k1") }),
    submitting("of a key of another member", makeCertificate(now, { keys: eve }).pem, "KEY_OWNED_BY_OTHER"),
    submitting("of a revoked key", makeCertificate(now, { keys: revoked }).pem, "KEY_REVOKED", "rex"),
    submitting("of nobody known", freshCertificate(), "NOT_FOUND", "nobody"),
    submitting("that is a private key", privatePem, "PRIVATE_KEY_PRESENTED"),
    submitting("followed by its private key", freshCertificate() + privatePem, "PRIVATE_KEY_PRESENTED"),
    bad("a private key in a label", teams.createTeam, { team: "x", labels: { key: secret } }, "PRIVATE_KEY_PRESENTED"),
    bad("a private key as a path", delegations.delegate, { paths: ["a", privatePem] }, "PRIVATE_KEY_PRESENTED"),
    bad("a private key as a reason", delegations.undelegate, { options: { reason: secret } }, "PRIVATE_KEY_PRESENTED"),
    bad(
      "a private key in a read",
      AuditServiceService.listAuditRecords,
      { eventTypes: ["a", secret] },
      "PRIVATE_KEY_PRESENTED",
    ),
    invalid(
      "everything that can be wrong with a submission",
      teams.submitCertificate,
      { member: "X", certificatePem: "hello", options: { reason: "\n" } },
      ...["member", "certificate_pem", "options.reason"],
    ),
  ],
);

test("every fault of a certificate is told at once", async () => {
  const certificatePem = makeCertificate(now, {
    keys: weakRsa,
    signature: signatureKinds.rsaSha1,
    from: daysFrom(now, -9),
    to: daysFrom(now, -2),
  }).pem;
  const wish = { member: "ann", certificatePem };
  const refused = await assertRefused(house, invalid("", teams.submitCertificate, wish, "certificate_pem"));
  assert.deepEqual(refused.violations.length, 3);
});

test("the private key that was sent stands in no record, no table and no line of the log", async () => {
  await house.freshRecords();
  const tables = await house.database.rows<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('public', 'audit') and has_table_privilege(format('%I.%I', table_schema, table_name), 'select')`,
  );
  const text = secret.slice(0, 40);
  for (const { name } of tables) {
    const found = await house.database.row(
      `select 1 from ${name} t where position(:text in t::text) > 0 or position(:hex in t::text) > 0 limit 1`,
      { text, hex: Buffer.from(text).toString("hex") },
    );
    assert.equal(found, undefined, name);
  }
  assert.ok(tables.some(({ name }) => name === "audit.entry"));
  assert.match(house.logLines.join(), /a caller sent a private key/);
  assert.ok(!house.logLines.join().includes(text));
});

test("the same certificate, with its chain or alone, is taken once and without its chain", async () => {
  const pem = makeCertificate(now, { issuer: authority, name: "chain" }).pem;
  const send = (certificatePem: string) =>
    house.admin.send(teams.submitCertificate, { member: "ann", certificatePem, options: noWait });
  const [first, again] = [await send(pem + authority.pem), await send(pem)];
  assert.equal(first.certificate?.pem.match(/BEGIN CERTIFICATE/g)?.length, 1);
  assert.deepEqual(again.certificate, first.certificate);
  assert.equal(again.outcome?.state, PublicationState.UNCHANGED);
});

test("a team's rule is met over the wire by a signature over a challenge, which viewers cannot ask for", async () => {
  const { admin, viewer } = house;
  const rule = { requiresPossessionProof: true, updateMask: ["requires_possession_proof"] };
  const { team, outcome } = await admin.send(teams.updateTeam, { team: "qa", ...rule, options: noWait });
  assert.equal(team?.requiresPossessionProof, true);
  assert.ok((outcome?.plan?.warnings.length ?? 0) >= 2, "ann and eve were there before");
  const made = makeCertificate(now, { name: "proved" });
  const asked = { member: "ann", certificatePem: made.pem };
  const demanded = await admin.refused(teams.submitCertificate, { ...asked, options: noWait });
  assert.deepEqual([demanded.code, demanded.reason], [status.FAILED_PRECONDITION, "POSSESSION_UNPROVEN"]);
  assert.equal((await viewer.refused(teams.createPossessionChallenge, asked)).reason, "NOT_PERMITTED");
  const leaked = { ...asked, certificatePem: made.pem + privatePem };
  assert.equal((await admin.refused(teams.createPossessionChallenge, leaked)).reason, "PRIVATE_KEY_PRESENTED");
  const { challenge } = await admin.send(teams.createPossessionChallenge, asked);
  assert.ok(challenge);
  assert.match(
    challenge.text,
    /^imagetrust proof of possession, version 1\naudience: "imagetrust\/[0-9a-f-]{36}"\ncaller: "admin"\n/,
  );
  const signature = signPossession(made.privateKey, challenge.text);
  const possessionProof = { challenge: challenge.id, signature };
  const { certificate } = await admin.send(teams.submitCertificate, { ...asked, possessionProof, options: noWait });
  assert.deepEqual([certificate?.possessionProved, certificate?.key?.canonicalKeyId], [true, challenge.canonicalKeyId]);
  const { certificates } = await admin.send(teams.listCertificates, { member: "ann", unproven: true });
  assert.ok(certificates.length > 0 && certificates.every(({ possessionProved }) => !possessionProved));
});
