import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import type { ServedService } from "./served-service.ts";

export type ServingStatus = "SERVING" | "NOT_SERVING";

/** What the health of the service hangs on. Notary is not among it: while it is away changes are accepted and wait. */
export interface Conditions {
  readonly database: boolean;
  /** Without it nothing can be published; reads go on. */
  readonly signing: boolean;
}

/** grpc.health.v1: the server as a whole under the empty name, and each service under its own. */
export interface Health {
  readonly service: ServedService;
  /** Whether the server as a whole is SERVING. */
  readonly isServing: boolean;
  report(conditions: Conditions): void;
  /** NOT_SERVING from now on, whatever is reported. */
  beginShutdown(): void;
  /** Ends every Watch, so that a drain has nothing of ours to wait for. */
  endWatches(): void;
}

interface HealthRequest {
  readonly service: string;
}
interface HealthAnswer {
  readonly status: ServingStatus | "SERVICE_UNKNOWN";
}
type Watch = ServerWritableStream<HealthRequest, HealthAnswer>;

/**
 * NOT_SERVING until the first report. Database down: everything is NOT_SERVING. Signing down: the services with changes are,
 * the server as a whole and the services that only read are not.
 */
export function createHealth(services: readonly { readonly name: string; readonly changes: boolean }[]): Health {
  const statuses = new Map<string, ServingStatus>(
    ["", ...services.map(({ name }) => name)].map((name) => [name, "NOT_SERVING"]),
  );
  const watches = new Map<Watch, string>();
  let closing = false;
  const set = (name: string, serving: boolean) => {
    const next = serving && !closing ? "SERVING" : "NOT_SERVING";
    if (statuses.get(name) === next) return;
    statuses.set(name, next);
    for (const [watch, watched] of watches) if (watched === name) watch.write({ status: next });
  };
  const report = (conditions: Conditions) => {
    set("", conditions.database);
    for (const { name, changes } of services) set(name, conditions.database && (conditions.signing || !changes));
  };
  const implementation = {
    check: (call: ServerUnaryCall<HealthRequest, HealthAnswer>, answer: sendUnaryData<HealthAnswer>) => {
      const found = statuses.get(call.request.service);
      if (found !== undefined) answer(null, { status: found });
      else answer({ code: status.NOT_FOUND, details: "There is no service of this name." });
    },
    list: (_call: unknown, answer: sendUnaryData<{ readonly statuses: Record<string, HealthAnswer> }>) => {
      answer(null, { statuses: Object.fromEntries([...statuses].map(([name, found]) => [name, { status: found }])) });
    },
    watch: (watch: Watch) => {
      watches.set(watch, watch.request.service);
      watch.on("cancelled", () => watches.delete(watch));
      watch.write({ status: statuses.get(watch.request.service) ?? "SERVICE_UNKNOWN" });
    },
  };
  return {
    service: { name: "grpc.health.v1.Health", definition: service, implementation },
    get isServing() {
      return statuses.get("") === "SERVING";
    },
    report,
    beginShutdown: () => {
      closing = true;
      report({ database: false, signing: false });
    },
    endWatches: () => {
      for (const watch of watches.keys()) {
        watch.emit("error", { code: status.UNAVAILABLE, details: "The server is shutting down." });
      }
      watches.clear();
    },
  };
}
