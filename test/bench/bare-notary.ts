import { readFile } from "node:fs/promises";
import { Pool } from "undici";
import type { Gun } from "../../src/names.ts";
import type { MultipartBody } from "../../src/notary/multipart.ts";
import { parseServerKey, type TufKey } from "../../src/tuf/key.ts";

/** Requests straight to notary-server over connections that are kept: the least that any publication takes. */
export interface BareNotary {
  /** Uploads and throws unless the server answers 200. */
  post(gun: Gun, upload: MultipartBody): Promise<void>;
  serverKey(gun: Gun, role: "snapshot" | "timestamp"): Promise<TufKey>;
  /** A metadata file such as `3.targets.json`; undefined for 404. */
  read(gun: Gun, file: string): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

export async function openBareNotary(notary: { readonly url: string; readonly caFile: string }): Promise<BareNotary> {
  const ca = await readFile(notary.caFile);
  const pool = new Pool(notary.url, { connections: 2, allowH2: false, connect: { ca } });
  const ask = async (path: string, upload?: MultipartBody): Promise<{ status: number; body: Buffer }> => {
    const answer = await pool.request(
      upload === undefined
        ? { method: "GET", path }
        : { method: "POST", path, headers: { "content-type": upload.contentType }, body: upload.body },
    );
    return { status: answer.statusCode, body: Buffer.from(await answer.body.arrayBuffer()) };
  };
  const demand = async (path: string, upload?: MultipartBody): Promise<Buffer> => {
    const { status, body } = await ask(path, upload);
    if (status !== 200) throw new Error(`notary-server answered ${status} for ${path}: ${body.toString()}`);
    return body;
  };
  const pathOf = (gun: Gun, file: string): string => `/v2/${gun}/_trust/tuf/${file}`;
  return {
    post: async (gun, upload) => void (await demand(pathOf(gun, ""), upload)),
    serverKey: async (gun, role) => parseServerKey(await demand(pathOf(gun, `${role}.key`))),
    read: async (gun, file) => {
      const { status, body } = await ask(pathOf(gun, file));
      if (status === 404) return undefined;
      if (status !== 200) throw new Error(`notary-server answered ${status} for ${file} of ${gun}`);
      return body;
    },
    close: () => pool.destroy(),
  };
}
