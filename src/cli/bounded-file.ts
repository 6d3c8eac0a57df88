import { promises as fs } from "node:fs";
import { UsageError } from "./exit-code.ts";

/** More than any client bundle holds. */
const maxBundleBytes = 4 * 1024 * 1024;

/** Reads a client bundle whole. Throws UsageError for what cannot be read or is too large for one. */
export function readBundle(file: string): Promise<Buffer> {
  return readBounded(file, maxBundleBytes);
}

/** Reads a file of at most so many bytes. Throws UsageError for a larger one and for one that cannot be read. */
export async function readBounded(file: string, limit: number): Promise<Buffer> {
  try {
    await using handle = await fs.open(file);
    return await readAll(handle.createReadStream({ autoClose: false }), limit);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Reads a stream of at most so many bytes. */
export async function readAll(stream: AsyncIterable<Buffer>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit)
      throw new UsageError(`The file is larger than ${limit / 1024} KiB: that is no certificate and no client bundle.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Writes a file. Throws UsageError where that cannot be done. */
export async function writeText(file: string, text: string): Promise<void> {
  try {
    await fs.writeFile(file, text);
  } catch (error) {
    throw new UsageError(`Cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}
