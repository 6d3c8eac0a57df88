import { createPrivateKey, sign } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { type RoleName, roleOf } from "../../src/names.ts";
import { encodeMultipart, type MultipartBody } from "../../src/notary/multipart.ts";
import { certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, targetsPayload } from "../../src/tuf/payload.ts";
import { inOneYear } from "../notary/collection.ts";
import { type Identity, makeIdentity } from "../trust/identity.ts";
import type { Caller } from "./caller.ts";
import { initialize } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { runPairs, share } from "./pairs.ts";
import { type BenchTeam, gunOf, makeTeam } from "./teams.ts";

const name = "follow";
const manifestLength = 1_512;

/** Every signature is kept and recorded as fast as notary-server takes them, each a file of its own. */
export const follow: Measure = defineMeasure({
  name,
  wanted: { ratio: 0.9, meaning: "at least" },
  full: { pairs: 3, collections: 50, versions: 20 },
  short: { pairs: 1, collections: 2, versions: 2 },
  run: (site, { pairs, collections, versions }) =>
    site.withService(async (service) => {
      const callers = await service.callers(4);
      const team = await makeTeam(callers[0], `${name}-team`, 0);
      const signer = await giveSigner(callers[0], team);
      const guns = Array.from({ length: collections }, (_, number) => gunOf(name, "ours", number));
      await share(guns, callers, (caller, gun) => initialize(caller, gun, [team]));
      const database = new pg.Client({ connectionString: service.databaseUrl });
      await database.connect();
      const count = collections * versions;
      let posted = 0;
      try {
        const found = await runPairs(
          site,
          pairs,
          async (round) => {
            // In turn, so that each collection is as likely to be behind as the others.
            const files = Array.from({ length: versions }, (_, at) => round * versions + at + 1);
            const uploads = files.map((version) => signedFile(signer, roleOf(team.id), version));
            const before = await keptFiles(database);
            const began = performance.now();
            for (const upload of uploads) for (const gun of guns) await site.bare.post(gun, upload);
            posted = (count * 1_000) / (performance.now() - began);
            while ((await keptFiles(database)) - before < count) await pause(50);
            return (count * 1_000) / (performance.now() - began);
          },
          () => Promise.resolve(posted),
        );
        return {
          ...found,
          unit: "signatures/s",
          conditions:
            `${versions} versions of a member's file on each of ${collections} repositories, posted one at a time as fast as notary-server ` +
            `takes them, until all are kept and recorded, against the posting alone; ${found.conditions}`,
        };
      } finally {
        await database.end();
      }
    }),
});

async function giveSigner(caller: Caller, team: BenchTeam): Promise<Identity> {
  const member = `${team.id}-signer`;
  const identity = await makeIdentity(member);
  await caller.call(TeamServiceService.addMember, { team: team.id, member });
  await caller.call(TeamServiceService.submitCertificate, { member, certificatePem: identity.certificatePem });
  return identity;
}

async function keptFiles(database: pg.Client): Promise<number> {
  const { rows } = await database.query<{ count: string }>(
    "select count(*) from delegation_files f join collections c on c.id = f.collection_id where c.gun like $1",
    [`%/${name}/%`],
  );
  return Number(rows[0]?.count);
}

/** A delegation file with one tag more than its version before, ready to be sent to any repository. */
function signedFile(signer: Identity, role: RoleName, version: number): MultipartBody {
  const hashes = new Map([["sha256", Buffer.alloc(32, version)]]);
  const tags = Array.from(
    { length: version },
    (_, at) => [`1.${at}`, { length: manifestLength, hashes, custom: undefined }] as const,
  );
  const payload = targetsPayload({ version, expires: inOneYear, targets: new Map(tags), keys: [], roles: [] });
  const key = createPrivateKey(signer.privateKeyPem);
  const sig = sign("sha256", payload, { key, dsaEncoding: "ieee-p1363" });
  const keyId = tufKeyIdOf(certificateKey(signer.certificatePem));
  return encodeMultipart([{ role, bytes: envelopeOf(payload, [{ keyId, method: "ecdsa", sig }]) }]);
}
