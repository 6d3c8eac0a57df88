import { type Address, type Caller, openCaller } from "./caller.ts";

/** What the parent process sends: calls to make, so many of them under way at once. */
export interface DriveOrder {
  readonly address: Address;
  readonly path: string;
  /** Base64. */
  readonly request: string;
  readonly calls: number;
  readonly inFlight: number;
}

/** What it answers when all were answered. */
export interface Driven {
  readonly seconds: number;
  /** Of all answers together. */
  readonly bytes: number;
}

const callers = new Map<string, Caller>();

/** Run as a program: a client process that makes calls as fast as answers come, over one connection a server. */
async function drive({ address, path, request, calls, inFlight }: DriveOrder): Promise<Driven> {
  const caller = callers.get(address.address) ?? (await openCaller(address));
  callers.set(address.address, caller);
  const message = Buffer.from(request, "base64");
  let left = calls;
  let bytes = 0;
  const began = performance.now();
  const flight = async (): Promise<void> => {
    while (left-- > 0) {
      const answer = await caller.callBytes(path, message);
      bytes += answer.length;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, flight));
  return { seconds: (performance.now() - began) / 1_000, bytes };
}

if (import.meta.main) {
  process.once("disconnect", () => process.exit());
  process.on("message", (order) => {
    void drive(order as DriveOrder).then((driven) => process.send?.(driven));
  });
}
