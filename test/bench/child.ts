import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program of this folder in a process of its own, that answers each order with one message. It ends with this process. */
export interface Child<Order, Answer> {
  readonly pid: number;
  ask(order: Order): Promise<Answer>;
  stop(): Promise<void>;
}

export function startChild<Order extends object, Answer>(file: string): Child<Order, Answer> {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)));
  const ended = once(child, "exit");
  return {
    pid: child.pid ?? 0,
    ask: async (order) => {
      const answered = once(child, "message");
      child.send(order);
      const first = await Promise.race([answered, ended.then(() => undefined)]);
      if (first === undefined) throw new Error(`${file} ended instead of answering`);
      return first[0] as Answer;
    },
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
}
