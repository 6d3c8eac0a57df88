import { after, before } from "node:test";
import { RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { ecPair, hex, makeCertificate } from "../../x509/make-certificate.ts";
import type { Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { type Bad, bad, invalid, testRefusals } from "./refusals.ts";
import { freshCertificate, initialize, makeTeam, submit } from "./story.ts";

const { revokeMember, revokeCertificate, replaceCertificate } = TeamServiceService;
const uuid = "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11";
const { UNSPECIFIED, LEFT, COMPROMISED } = RevocationReason;

const now = new Date();
const anns = ecPair();
const bobs = ecPair();
const revoked = ecPair();
const pemOf = (keys: ReturnType<typeof ecPair>, serial: string): string =>
  makeCertificate(now, { keys, serial: hex(serial) }).pem;

let house: House;
let certificate = "";
let lone = "";
before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  await makeTeam(admin, "qa", ["rex"]);
  const [only] = await makeTeam(admin, "lone", ["lea"]);
  lone = only?.id ?? "";
  for (const member of ["ann", "bob"]) {
    await admin.send(TeamServiceService.addMember, { team: "qa", member, options: { noWait: true } });
  }
  certificate = (await submit(admin, "ann", pemOf(anns, "01"))).id;
  await submit(admin, "bob", pemOf(bobs, "01"));
  const gone = await submit(admin, "ann", pemOf(revoked, "01"));
  await admin.send(revokeCertificate, { certificate: gone.id, revocationReason: LEFT, options: { noWait: true } });
  await initialize(admin, "dtr.example.org/dev/nginx", ["qa", "lone"]);
});
after(() => house.stop());

/** A row whose request needs what the house was given. */
function later<Request>(row: Omit<Bad, "wish">, wish: () => Wish<Request>): Bad {
  return {
    ...row,
    get wish() {
      return wish() as Bad["wish"];
    },
  };
}

const replacing = (name: string, reason: Bad["reason"], pem: string, options = {}): Bad =>
  later(bad(`replacing a key ${name}`, replaceCertificate, {}, reason), () => ({
    certificate,
    certificatePem: pem,
    options,
  }));

testRefusals(
  () => house,
  [
    invalid(
      "no reason for off-boarding",
      revokeMember,
      { member: "ann", revocationReason: UNSPECIFIED },
      "revocation_reason",
    ),
    invalid(
      "everything that can be wrong with off-boarding",
      revokeMember,
      { member: "X", revocationReason: COMPROMISED, options: { requestId: "a b" } },
      ...["member", "options.request_id", "options.reason"],
    ),
    bad("off-boarding nobody known", revokeMember, { member: "nobody", revocationReason: LEFT }, "NOT_FOUND"),
    bad(
      "off-boarding with a stale etag",
      revokeMember,
      { member: "ann", revocationReason: LEFT, options: { etag: "x" } },
      "ETAG_MISMATCH",
    ),
    bad(
      "off-boarding by another plan",
      revokeMember,
      { member: "ann", revocationReason: LEFT, options: { planEtag: "x" } },
      "PLAN_CHANGED",
    ),
    bad("off-boarding the last signer", revokeMember, { member: "lea", revocationReason: LEFT }, "WITHOUT_SIGNER"),
    later(bad("revoking the last key", revokeCertificate, {}, "WITHOUT_SIGNER"), () => ({
      certificate: lone,
      revocationReason: LEFT,
    })),
    bad(
      "replacing what is not there",
      replaceCertificate,
      { certificate: uuid, certificatePem: freshCertificate() },
      "NOT_FOUND",
    ),
    invalid(
      "everything that can be wrong with a replacement",
      replaceCertificate,
      { certificate: "x", certificatePem: "hello", options: { reason: "\n" } },
      ...["certificate", "certificate_pem", "options.reason"],
    ),
    replacing("by itself", "SAME_KEY", pemOf(anns, "02")),
    replacing("by another member's", "KEY_OWNED_BY_OTHER", pemOf(bobs, "02")),
    replacing("by a revoked one", "KEY_REVOKED", pemOf(revoked, "02")),
    replacing("with a stale etag", "ETAG_MISMATCH", freshCertificate(), { etag: "x" }),
    replacing("by another plan", "PLAN_CHANGED", freshCertificate(), { planEtag: "x" }),
    replacing(
      "with the private key beside its certificate",
      "PRIVATE_KEY_PRESENTED",
      freshCertificate() + String(ecPair().privateKey.export({ type: "pkcs8", format: "pem" })),
    ),
  ],
);
