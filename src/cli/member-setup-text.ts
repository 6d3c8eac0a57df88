import type { Signer, SignerSetup } from "./member-setup.ts";
import { printable } from "./terminal.ts";
import { pathsText } from "./words.ts";

/** The notary commands of one signer, as a shell takes them. */
export interface SignCommands {
  /** Signs the manifest in the file `manifest.json`. */
  readonly add: string;
  /** Signs a manifest of which only size and SHA-256 are known, to be filled in. */
  readonly addhash: string;
}

/** The commands that are the same for every signer. */
export interface ClientCommands {
  readonly importKey: string;
  readonly listKeys: string;
  readonly publish: string;
  readonly list: string;
}

/** Source: `notary help` of 0.7.0; `key import` takes PKCS#8, SEC1 and PKCS#1, behind an EC PARAMETERS block too. */
export function clientCommands({ configFile, written, gun }: SignerSetup): ClientCommands {
  const notary = notaryOf(configFile, written);
  return {
    importKey: `${notary} key import key.pem --role delegation`,
    listKeys: `${notary} key list`,
    publish: `${notary} publish ${quoted(gun)}`,
    list: `${notary} list ${quoted(gun)}`,
  };
}

/** What one signer types for each tag; `$TAG` is its name. */
export function signCommands({ configFile, written, gun }: SignerSetup, signer: Signer): SignCommands {
  const notary = notaryOf(configFile, written);
  const roles = signer.roles.map((role) => `-r ${quoted(role)}`).join(" ");
  return {
    add: `${notary} add ${quoted(gun)} "$TAG" manifest.json ${roles}`,
    addhash: `${notary} addhash ${quoted(gun)} "$TAG" SIZE --sha256 SHA256 ${roles}`,
  };
}

/** The setup as a page to read that is also a shell script, once the configuration is in its place. */
export function setupText(setup: SignerSetup): string {
  const client = clientCommands(setup);
  return printableLines([
    ...preparationLines(setup, `Signing ${setup.gun}`),
    "# For each tag: its name, and its manifest in manifest.json, for example from",
    `#   docker buildx imagetools inspect --raw ${setup.gun}:1.0 > manifest.json`,
    "TAG=1.0",
    ...setup.signers.flatMap((signer) => signerLines(setup, signer)),
    client.publish,
    client.list,
  ]);
}

/** What comes before any signing: the configuration, and the key in its place. */
export function preparationLines(setup: SignerSetup, title: string): readonly string[] {
  const client = clientCommands(setup);
  const pin = setup.config.trust_pinning.certs[setup.gun]?.join(", ") ?? "";
  return [
    `# ${title}`,
    `# Trust is pinned to the root certificate ${pin}.`,
    ...(setup.written
      ? [`# The notary client's configuration stands in ${setup.configFile}.`]
      : [`# The notary client's configuration; save it as ${setup.configFile}:`, ...configLines(setup)]),
    "",
    "# Once: hand the private key of your client bundle, key.pem, to the notary client. It stays on this machine.",
    "# The client asks for a passphrase to store it under (or takes NOTARY_DELEGATION_PASSPHRASE). A warning about",
    "# a missing path header concerns an EC PARAMETERS block in front of the key and does no harm.",
    client.importKey,
    ...keyLines(setup, client),
    "",
  ];
}

function configLines({ config }: SignerSetup): readonly string[] {
  return JSON.stringify(config, null, 2)
    .split("\n")
    .map((line) => `#   ${line}`);
}

function keyLines(setup: SignerSetup, client: ClientCommands): readonly string[] {
  if (setup.keyIds.length === 0) return [client.listKeys];
  return [`# The list must show ${setup.keyIds.join(" or ")}.`, client.listKeys];
}

function signerLines(setup: SignerSetup, signer: Signer): readonly string[] {
  const { add, addhash } = signCommands(setup, signer);
  const limit = pathsText(signer.paths);
  const several = setup.signers.length > 1;
  return [
    `# As ${signer.who}${limit === "all" ? "" : `, tags that begin with ${limit}`}:`,
    ...(signer.live ? [] : [`# (not live on Notary yet: imagetrust trust wait ${setup.gun})`]),
    several ? `# ${add}` : add,
    "# or, where only the manifest's size and SHA-256 are known:",
    `# ${addhash}`,
  ];
}

/** Lines as a script that a terminal can show. */
export function printableLines(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** The notary command; unwritten configuration belongs where the client looks by itself. */
export function notaryOf(configFile: string, written: boolean): string {
  return written ? `notary -c ${quoted(configFile)}` : "notary";
}

/** A word as a POSIX shell takes it. */
export function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
