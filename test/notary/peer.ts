import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A request as it came over the wire. */
export interface PeerRequest {
  readonly line: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** A peer that speaks exactly the bytes it is told to. */
export interface Peer {
  readonly url: string;
  readonly port: number;
  /** Complete requests, in the order in which they came. */
  readonly requests: readonly PeerRequest[];
  readonly connections: number;
  close(): Promise<void>;
}

export interface PeerScript {
  /** Called for each complete request. */
  readonly onRequest?: (socket: Socket, request: PeerRequest) => void;
  /** Called for the first bytes of each connection, before a request is complete. */
  readonly onFirstBytes?: (socket: Socket) => void;
}

export async function startPeer(script: PeerScript): Promise<Peer> {
  const requests: PeerRequest[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    let pending = Buffer.alloc(0);
    socket.once("data", () => script.onFirstBytes?.(socket));
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (let taken = takeRequest(pending); taken !== undefined; taken = takeRequest(pending)) {
        pending = pending.subarray(taken.length);
        requests.push(taken.request);
        script.onRequest?.(socket, taken.request);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    get connections() {
      return connections;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A complete HTTP/1.1 answer. */
export function answer(status: number, body: string | Buffer, headers: Record<string, string> = {}): Buffer {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ "content-length": String(bytes.length), ...headers }).map(
    ([k, v]) => `${k}: ${v}\r\n`,
  );
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`), bytes]);
}

function takeRequest(bytes: Buffer): { request: PeerRequest; length: number } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [line = "", ...fields] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
    }),
  );
  const length = end + 4 + Number(headers.get("content-length") ?? "0");
  if (bytes.length < length) return undefined;
  return { request: { line, headers, body: bytes.subarray(end + 4, length) }, length };
}
