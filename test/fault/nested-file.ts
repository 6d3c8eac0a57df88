import { createPrivateKey, sign } from "node:crypto";
import type { RoleName } from "../../src/names.ts";
import type { UploadAnswer } from "../../src/notary/server.ts";
import { certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, targetsPayload } from "../../src/tuf/payload.ts";
import { inOneYear } from "../notary/collection.ts";
import { gunOf, type House } from "../trust/house.ts";
import type { Identity } from "../trust/identity.ts";

/** A member's file that delegates on to roles below it, each to the member's own key. */
export interface NestedFile {
  readonly gun: string;
  /** Such as `targets/qa`. */
  readonly role: string;
  /** Such as `targets/qa/mine`; each gets an empty file. */
  readonly nested: readonly string[];
}

/** Posts a member's first file with the files below it straight to Notary, as the notary CLI would. */
export async function pushNested(house: House, member: Identity, file: NestedFile): Promise<UploadAnswer> {
  const key = certificateKey(member.certificatePem);
  const keyId = tufKeyIdOf(key);
  const signed = (nested: readonly string[]): Buffer => {
    const roles = nested.map((name) => ({ name: name as RoleName, keyIds: [keyId], threshold: 1, paths: [""] }));
    const keys = nested.length === 0 ? [] : [key];
    const payload = targetsPayload({ version: 1, expires: inOneYear, targets: new Map(), keys, roles });
    const privateKey = { key: createPrivateKey(member.privateKeyPem), dsaEncoding: "ieee-p1363" } as const;
    return envelopeOf(payload, [{ keyId, method: "ecdsa", sig: sign("sha256", payload, privateKey) }]);
  };
  const files = [
    { role: file.role as RoleName, bytes: signed(file.nested) },
    ...file.nested.map((role) => ({ role: role as RoleName, bytes: signed([]) })),
  ];
  const server = house.core.trust.notaries.byName("main");
  return await server.upload(gunOf(file.gun), files, new AbortController().signal);
}
