import { type Client, type MethodDefinition, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";

/** Asks grpc.health.v1 over a channel. */
export interface HealthClient {
  check(service: string): Promise<string>;
  /** Every status of the server as a whole that Watch has told so far, and whether the stream is over. */
  watch(): { readonly seen: readonly string[]; readonly isOver: boolean };
}

export function healthOf(client: Client): HealthClient {
  const { service } = makeGenericClientConstructor(
    loadSync(protoPath, { enums: String })["grpc.health.v1.Health"] as never,
    "Health",
  );
  const { Check: check, Watch: watch } = service as unknown as Record<"Check" | "Watch", Definition>;
  return {
    check: (name) =>
      new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, answer?: Answer) =>
          error === null ? resolve(answer?.status ?? "") : reject(error);
        const question = [check.path, check.requestSerialize, check.responseDeserialize, { service: name }] as const;
        client.makeUnaryRequest(...question, { deadline: Date.now() + 10_000 }, done);
      }),
    watch: () => {
      const state = { seen: [] as string[], isOver: false };
      client
        .makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, { service: "" })
        .on("data", (answer: Answer) => state.seen.push(answer.status))
        .on("error", () => (state.isOver = true));
      return state;
    },
  };
}

interface Answer {
  readonly status: string;
}
type Definition = MethodDefinition<{ readonly service: string }, Answer>;
