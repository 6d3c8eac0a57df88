import { type UnzipFileInfo, unzipSync } from "fflate";
import { UsageError } from "./exit-code.ts";

/** Far above what a bundle holds (about twenty small files), far below what could hurt. */
const maxEntries = 200;
const maxEntryBytes = 64 * 1024;

/**
 * Takes cert.pem, and nothing else, out of a UCP client bundle (a zip file): the one at its top, or the only one in a folder
 * at its top. No other entry is decompressed, key.pem least of all. Throws UsageError for anything else.
 */
export function certificateOfBundle(zip: Uint8Array): Uint8Array {
  return contentOf(zip, certificateNameIn(zip));
}

/** Takes key.pem out of a bundle: the one beside the certificate that certificateOfBundle takes. It is for this machine only. */
export function keyOfBundle(zip: Uint8Array): Uint8Array {
  return contentOf(zip, certificateNameIn(zip).replace(/cert\.pem$/, "key.pem"));
}

function contentOf(zip: Uint8Array, name: string): Uint8Array {
  const content = unzip(zip, (entry) => entry.name === name)[name];
  if (content === undefined)
    throw new UsageError(`The client bundle holds no ${name}, or is damaged; download it again.`);
  if (content.length === 0) throw new UsageError(damaged);
  return content;
}

function certificateNameIn(zip: Uint8Array): string {
  const names = readCertificateNames(zip);
  const name = names.find((found) => found === "cert.pem") ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) {
    throw new UsageError(
      names.length === 0
        ? "The client bundle holds no cert.pem; download a new bundle."
        : `The client bundle holds several certificates (${names.join(", ")}); give the right one as a file.`,
    );
  }
  return name;
}

const damaged = "The client bundle is no zip file, or a damaged one; download it again.";

function readCertificateNames(zip: Uint8Array): readonly string[] {
  const names: string[] = [];
  let entries = 0;
  unzip(zip, (entry) => {
    entries++;
    if (entries > maxEntries)
      throw new UsageError(`The zip file holds more than ${maxEntries} entries: no client bundle.`);
    if (/^(?:[^/]+\/)?cert\.pem$/.test(entry.name)) names.push(entry.name);
    return false;
  });
  return names;
}

function unzip(zip: Uint8Array, wants: (entry: UnzipFileInfo) => boolean): Record<string, Uint8Array> {
  try {
    return unzipSync(zip, { filter: (entry) => wants(entry) && requireSmall(entry) });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(damaged, { cause: error });
  }
}

/** Bounds both sizes: the declared one is what is allocated, the compressed one limits the work if the other lies. */
function requireSmall(entry: UnzipFileInfo): boolean {
  if (entry.size <= maxEntryBytes && entry.originalSize <= maxEntryBytes) return true;
  throw new UsageError(`${entry.name} in the client bundle is larger than ${maxEntryBytes / 1024} KiB.`);
}
