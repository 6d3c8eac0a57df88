import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { canonicalKeyIdOf, certificateKey } from "../../src/tuf/key.ts";
import { createAuthority, type Identity, issueIdentity } from "../../src/x509/authority.ts";

/** What UCP gives a user to download: a certificate and its private key in a zip file. */
export interface ClientBundle {
  readonly file: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** The key's id as the notary client shows it. */
  readonly keyId: string;
}

/** Plays UCP: a bundle for each person in a folder of their own, or the one they downloaded in an earlier run. */
export async function downloadBundles(
  folder: string,
  people: readonly string[],
): Promise<ReadonlyMap<string, ClientBundle>> {
  const now = new Date();
  const ucp = await createAuthority("UCP Client Root CA", lifeDays, now);
  const bundles = new Map<string, ClientBundle>();
  for (const person of people) {
    const file = join(folder, person, `ucp-bundle-${person}.zip`);
    await mkdir(join(folder, person), { recursive: true, mode: 0o700 });
    if ((await readBundle(file)) === undefined) {
      const user = await issueIdentity(ucp, { name: person, purposes: ["client"], days: lifeDays }, now);
      await writeFile(`${file}.new`, zipOf(ucp, user), { mode: 0o600 });
      await rename(`${file}.new`, file);
    }
    const { "cert.pem": certificatePem = "", "key.pem": privateKeyPem = "" } = (await readBundle(file)) ?? {};
    const keyId = canonicalKeyIdOf(certificateKey(certificatePem));
    bundles.set(person, { file, certificatePem, privateKeyPem, keyId });
  }
  return bundles;
}

const lifeDays = 3_650;

function zipOf(ucp: Identity, user: Identity): Uint8Array {
  const files = { "ca.pem": ucp.certificatePem, "cert.pem": user.certificatePem, "key.pem": user.privateKeyPem };
  return zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));
}

async function readBundle(file: string): Promise<Readonly<Record<string, string>> | undefined> {
  const zip = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (zip === undefined) return undefined;
  return Object.fromEntries(Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, strFromU8(bytes)]));
}
