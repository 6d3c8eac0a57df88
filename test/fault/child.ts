/** A replica in a process of its own: publishes what is due, and dies of kill -9 at the step it was told, if any. */
import { openReplica, type ReplicaOptions } from "../trust/house.ts";

const { dieAt, ...options } = JSON.parse(process.argv[2] ?? "{}") as ReplicaOptions & { readonly dieAt?: string };
const replica = openReplica({
  ...options,
  atStep: (step) => {
    if (step === dieAt) process.kill(process.pid, "SIGKILL");
  },
});
await replica.core.publisher.start();
process.stdout.write("ready\n");
