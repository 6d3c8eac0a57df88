import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Identity, issueIdentity } from "../../src/x509/authority.ts";
import { identityFiles, writeFiles } from "./consumer.ts";
import { Refusal } from "./refusal.ts";
import { type Rights, setRights } from "./rights.ts";

/** A client certificate to be issued by imagetrust's own authority. */
export interface ClientRequest extends Rights {
  readonly name: string;
  readonly days: number;
}

/**
 * Issues `client/NAME.pem` and `client/NAME-key.pem`, in place of earlier ones of that name, which stay valid, and gives the name
 * its rights where any are asked for. Throws Refusal, with nothing changed, for a name that cannot be one, for rights that imagetrust
 * would not take up, and where the authority's key is not kept.
 */
export async function issueClient(root: string, request: ClientRequest, now: Date): Promise<void> {
  const { name, days } = request;
  requireClientName(name);
  const authority = await readAuthority(join(root, "ca"));
  const identity = await issueIdentity(authority, { name, purposes: ["client"], days }, now);
  if (request.role !== undefined || request.owns.length > 0) await setRights(root, name, request);
  await writeFiles(root, "client", identityFiles(name, identity));
}

function requireClientName(name: string): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) {
    throw new Refusal("NAME must be 1 to 63 lower-case letters, digits, dots, dashes and underscores");
  }
  // Their files would take the place of others.
  if (["ca", "notary-ca"].includes(name) || name.endsWith("-key")) throw new Refusal(`the name ${name} is taken`);
}

async function readAuthority(folder: string): Promise<Identity> {
  try {
    return {
      certificatePem: await readFile(join(folder, "imagetrust.pem"), "utf8"),
      privateKeyPem: await readFile(join(folder, "imagetrust-key.pem"), "utf8"),
    };
  } catch (error) {
    throw new Refusal(`the authority's key cannot be read in ${folder} (${(error as NodeJS.ErrnoException).code})`);
  }
}
