import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { TestNotary } from "../stack/notary.ts";

/** One request to Notary as it came by. */
export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** Between the service and Notary: passes everything on and keeps what requests say of themselves. */
export interface Tap {
  readonly url: string;
  readonly caFile: string;
  readonly heard: readonly Heard[];
  close(): void;
}

export async function startTap(notary: Pick<TestNotary, "url" | "caFile">): Promise<Tap> {
  // The local Notary's own certificate is good for every port of 127.0.0.1.
  const file = (name: string) => readFile(join(dirname(notary.caFile), name));
  const [cert, key, ca] = await Promise.all([file("server.pem"), file("server-key.pem"), readFile(notary.caFile)]);
  const agent = new Agent({ ca, keepAlive: true });
  const heard: Heard[] = [];
  const server = createServer({ cert, key }, (from, to) => {
    const { method = "", url: path = "", headers } = from;
    heard.push({ method, path, headers });
    const asking = request(`${notary.url}${path}`, { agent, method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 0, answer.headers);
      pipeline(answer, to).catch(() => to.destroy());
    });
    asking.once("error", () => to.destroy());
    pipeline(from, asking).catch(() => to.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile: notary.caFile,
    heard,
    close: () => {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}
