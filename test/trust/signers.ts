import { createHash, createPrivateKey, sign } from "node:crypto";
import type { Core } from "../../src/core.ts";
import { type RoleName, type TufKeyId, targetsRole } from "../../src/names.ts";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, type TargetsContent, targetsPayload } from "../../src/tuf/payload.ts";
import type { Signature } from "../../src/tuf/signature.ts";
import { inOneYear } from "../notary/collection.ts";
import { gunOf } from "./house.ts";
import type { Identity } from "./identity.ts";

/** The key under which a member's signatures count. */
export function keyIdOf(identity: Identity): TufKeyId {
  return tufKeyIdOf(certificateKey(identity.certificatePem));
}

/** The targets file that Notary serves, read past the service. */
export async function targetsOnNotary({ trust }: Core, gun: string): Promise<TargetsContent> {
  const bytes = await trust.notaries.byName("main").readCurrent(gunOf(gun), targetsRole, new AbortController().signal);
  if (bytes === undefined) throw new Error(`Notary holds no targets of ${gun}`);
  return parseTargets(bytes).content;
}

/** Who may sign which delegation role, as Notary serves it: TUF key ids, ascending, by role. */
export async function signersOnNotary(core: Core, gun: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const { roles } = await targetsOnNotary(core, gun);
  return Object.fromEntries(roles.map((role) => [role.name, [...role.keyIds].sort()]));
}

export interface SignedFile {
  readonly gun: string;
  /** Such as `targets/qa`. */
  readonly role: string;
  readonly version: number;
  readonly tags: readonly string[];
  /** What the tags name; images are told apart by their words. */
  readonly image?: string;
}

/** The digest that tags of an image get. */
export function digestOf(image = "an image"): string {
  return `sha256:${createHash("sha256").update(image).digest("hex")}`;
}

/** Puts a delegation file that these members sign together on Notary, without the service. */
export async function pushSigned(core: Core, signers: readonly Identity[], file: SignedFile): Promise<void> {
  const digest = Buffer.from(digestOf(file.image).slice("sha256:".length), "hex");
  const image = { length: 8, hashes: new Map([["sha256", digest]]) };
  const payload = targetsPayload({
    version: file.version,
    expires: inOneYear,
    targets: new Map(file.tags.map((tag) => [tag, { ...image, custom: undefined }])),
    keys: [],
    roles: [],
  });
  const bytes = envelopeOf(
    payload,
    signers.map((identity) => signatureOf(identity, payload)),
  );
  const server = core.trust.notaries.byName("main");
  const files = [{ role: file.role as RoleName, bytes }];
  const answer = await server.upload(gunOf(file.gun), files, new AbortController().signal);
  if (answer.kind !== "ACCEPTED") throw new Error(`Notary answered ${answer.kind} to a member's ${file.role}`);
}

function signatureOf(identity: Identity, payload: Buffer): Signature {
  const key = createPrivateKey(identity.privateKeyPem);
  return {
    keyId: keyIdOf(identity),
    method: "ecdsa",
    sig: sign("sha256", payload, { key, dsaEncoding: "ieee-p1363" }),
  };
}
