import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { TestNotary } from "../stack/notary.ts";

/** A request on its way to Notary. */
export interface Asked {
  /** Such as `GET 2.targets.json`, `GET timestamp.json` or `POST` for an upload. */
  readonly what: string;
  readonly gun: string;
  readonly isUpload: boolean;
}

/**
 * What is done with a request. `swallow`: Notary answers, and nobody hears it; `cut`: the connection breaks as soon as the request
 * was passed on; `drop`: it breaks and nothing is passed on; an answer of our own: Notary never sees the request; `meanwhile`: Notary
 * answers, and something else happens before the answer is passed on.
 */
export type Deed =
  | "forward"
  | "swallow"
  | "cut"
  | "drop"
  | { readonly status: number; readonly body: string }
  | { readonly meanwhile: () => Promise<unknown> };

/** A man in the middle between the service and the real notary-server: TLS ends here and begins again. */
export interface NotaryProxy {
  readonly url: string;
  readonly caFile: string;
  /** Decides over each request; default: all are passed on. */
  rule: (asked: Asked) => Deed | Promise<Deed>;
  /** Everything that was asked, in order. */
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

export async function startNotaryProxy(notary: Pick<TestNotary, "url" | "caFile">): Promise<NotaryProxy> {
  // The local Notary's own certificate is good for every port of 127.0.0.1.
  const file = (name: string) => readFile(join(dirname(notary.caFile), name));
  const [cert, key, ca] = await Promise.all([file("server.pem"), file("server-key.pem"), readFile(notary.caFile)]);
  const agent = new Agent({ ca, keepAlive: true });
  const asked: Asked[] = [];
  const proxy = { rule: (): Deed | Promise<Deed> => "forward" } as { rule: NotaryProxy["rule"] };
  const server = createServer({ cert, key }, (from, to) => {
    to.on("error", () => undefined);
    void relay(from, to).catch(() => to.destroy());
  });
  const relay = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const body = await bodyOf(from);
    const one = askedOf(from);
    asked.push(one);
    const deed = await proxy.rule(one);
    if (typeof deed === "object" && "status" in deed) {
      return answer(to, deed.status, { "content-type": "application/json" }, deed.body);
    }
    if (deed === "drop") return cut(to);
    const passed = passOn(notary.url, agent, from, body);
    if (deed === "cut") {
      passed.catch(() => undefined);
      return cut(to);
    }
    const { status, headers, bytes } = await passed;
    if (deed === "swallow") return cut(to);
    if (typeof deed === "object") await deed.meanwhile();
    answer(to, status, headers, bytes);
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(proxy, {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile: notary.caFile,
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      agent.destroy();
      await once(server, "close");
    },
  });
}

function askedOf(from: IncomingMessage): Asked {
  const path = decodeURIComponent(from.url ?? "");
  const [, gun = "", file = ""] = /^\/v2\/(.+)\/_trust\/tuf\/(.*)$/.exec(path) ?? [undefined, "", path];
  const isUpload = from.method === "POST" && file === "";
  return { what: `${from.method} ${file}`.trim(), gun, isUpload };
}

async function bodyOf(from: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of from) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface Passed {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: Buffer;
}

function passOn(url: string, agent: Agent, from: IncomingMessage, body: Buffer): Promise<Passed> {
  const { host: _host, connection: _connection, "transfer-encoding": _encoding, ...headers } = from.headers;
  return new Promise((resolve, reject) => {
    const options = { agent, method: from.method, headers: { ...headers, "content-length": body.length } };
    const asking = request(`${url}${from.url}`, options, (heard) => {
      bodyOf(heard).then(
        (bytes) => resolve({ status: heard.statusCode ?? 0, headers: heard.headers, bytes }),
        (error: unknown) => reject(error),
      );
    });
    asking.once("error", reject);
    asking.end(body);
  });
}

function answer(to: ServerResponse, status: number, headers: IncomingMessage["headers"], body: string | Buffer): void {
  const { "transfer-encoding": _encoding, connection: _connection, ...kept } = headers;
  to.writeHead(status, { ...kept, "content-length": Buffer.byteLength(body) });
  to.end(body);
}

function cut(to: ServerResponse): void {
  to.socket?.destroy();
}

/** Notary's refusal of an upload's targets file: final, as far as the bytes go. */
export const badTargets: Deed = {
  status: 400,
  body: JSON.stringify({
    errors: [
      {
        code: "INVALID_UPDATE",
        message: "Update sent by the client is invalid.",
        detail: { Name: "ErrBadTargets", Error: { Msg: "the targets metadata is bad" } },
      },
    ],
  }),
};

/** Notary's word for a version that is taken. */
export const versionTaken: Deed = {
  status: 400,
  body: JSON.stringify({ errors: [{ code: "VERSION", message: "The provided version is taken.", detail: {} }] }),
};
