/**
 * A replica in a process of its own: publishes what is due, follows where it is told to, says each step it reaches, and at the step it was told dies of kill -9 or
 * falls asleep until it is woken with SIGCONT.
 */
import { openReplica, type ReplicaOptions } from "../trust/replica.ts";

interface ChildOptions extends ReplicaOptions {
  readonly dieAt?: string;
  readonly dieAtTime?: number;
  readonly sleepAt?: string;
}

const { dieAt, dieAtTime = 1, sleepAt, ...options } = JSON.parse(process.argv[2] ?? "{}") as ChildOptions;
const say = (line: string): Promise<void> =>
  new Promise((resolve) => process.stdout.write(`${line}\n`, () => resolve()));
let slept = false;
let times = 0;
const replica = openReplica({
  ...options,
  atStep: async (step) => {
    if (step === dieAt && ++times === dieAtTime) process.kill(process.pid, "SIGKILL");
    await say(step);
    if (step !== sleepAt || slept) return;
    slept = true;
    process.kill(process.pid, "SIGSTOP");
  },
});
await replica.core.publisher.start();
if (options.follow !== undefined) replica.core.follower.start();
await say("ready");
