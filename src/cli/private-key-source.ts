import { createPrivateKey, type KeyObject } from "node:crypto";
import { readBounded, readBundle } from "./bounded-file.ts";
import { keyOfBundle } from "./client-bundle.ts";
import { UsageError } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

const maxKeyBytes = 64 * 1024;

/** Where a member's private key is to be read from: a file where one is named, else the bundle's key.pem. */
export interface PrivateKeySource {
  /** Empty: none. */
  readonly file: string;
  /** The path of a client bundle; empty: none. */
  readonly bundle: string;
  /** A file that holds the passphrase, on its first line; empty: a person is asked, where the key needs one. */
  readonly passphraseFile: string;
}

/**
 * Reads a private key on this machine, for use in this process alone: PEM, encrypted or not. Throws UsageError, which says nothing of
 * key or passphrase, for what cannot be read or opened.
 */
export async function readPrivateKey(terminal: Terminal, source: PrivateKeySource): Promise<KeyObject> {
  const { file, bundle } = source;
  if (file === "" && bundle === "") {
    throw new UsageError("Give the member's private key with --proof-key, or the client bundle with --bundle.");
  }
  const pem = file === "" ? Buffer.from(keyOfBundle(await readBundle(bundle))) : await readBounded(file, maxKeyBytes);
  return openKey(pem, isEncrypted(pem) ? await passphraseOf(terminal, source) : undefined);
}

/** PKCS#8 says so in its label, OpenSSL's older form in a header (RFC 1421). */
function isEncrypted(pem: Buffer): boolean {
  return /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem.toString("latin1"));
}

function openKey(pem: Buffer, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? { key: pem } : { key: pem, passphrase });
  } catch {
    // OpenSSL's words say nothing useful, and the cause is left out so that nothing of the key can be printed.
    throw new UsageError(
      passphrase === undefined
        ? "The private key cannot be read; give it as PEM."
        : "The private key cannot be opened: the passphrase is wrong, or the file is damaged.",
    );
  }
}

async function passphraseOf(terminal: Terminal, { passphraseFile }: PrivateKeySource): Promise<string> {
  if (passphraseFile !== "") {
    const [line = ""] = (await readBounded(passphraseFile, maxKeyBytes)).toString("utf8").split(/\r?\n/);
    return line;
  }
  const asked = await terminal.askSecret?.("Passphrase of the private key: ");
  if (asked === undefined) {
    throw new UsageError("The private key is encrypted, and nobody can be asked: give --passphrase-file.");
  }
  return asked;
}
