import { createHash, createPrivateKey, sign } from "node:crypto";
import type { RoleName } from "../../src/names.ts";
import type { UploadAnswer } from "../../src/notary/server.ts";
import { certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, targetsPayload } from "../../src/tuf/payload.ts";
import { inOneYear } from "../notary/collection.ts";
import { gunOf, type House } from "../trust/house.ts";
import type { Identity } from "../trust/identity.ts";

/** A delegation file that a member signs with the key of the client bundle, without any help of the service. */
export interface MemberFile {
  readonly gun: string;
  /** Such as `targets/qa`. */
  readonly role: string;
  readonly version: number;
  readonly tags?: readonly string[];
}

/** Posts a member's own file straight to Notary, as the notary CLI would. */
export async function pushAsMember(house: House, member: Identity, file: MemberFile): Promise<UploadAnswer> {
  const digest = { length: 8, hashes: new Map([["sha256", createHash("sha256").update("an image").digest()]]) };
  const payload = targetsPayload({
    version: file.version,
    expires: inOneYear,
    targets: new Map((file.tags ?? []).map((tag) => [tag, { ...digest, custom: undefined }])),
    keys: [],
    roles: [],
  });
  const key = createPrivateKey(member.privateKeyPem);
  const sig = sign("sha256", payload, { key, dsaEncoding: "ieee-p1363" });
  const keyId = tufKeyIdOf(certificateKey(member.certificatePem));
  const bytes = envelopeOf(payload, [{ keyId, method: "ecdsa", sig }]);
  const server = house.core.trust.notaries.byName("main");
  return await server.upload(gunOf(file.gun), [{ role: file.role as RoleName, bytes }], new AbortController().signal);
}
