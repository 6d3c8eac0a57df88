import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { BoundedLog } from "./bounded-log.ts";
import type { RpcMetrics } from "./metrics.ts";

/**
 * Sees calls that end before their request was read: the library answers those by itself (a message over the limit is
 * RESOURCE_EXHAUSTED), and no handler, metric or record would know of them.
 */
export function watchUnread(metrics: Pick<RpcMetrics, "requestUnread">, log: BoundedLog): ServerInterceptor {
  return (method, call) => {
    let isRead = false;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveHalfClose: (go) => {
            isRead = true;
            go();
          },
          onCancel: () => {
            if (isRead) return;
            metrics.requestUnread();
            log.warn(
              { method: method.path.slice(1), peer: call.getPeer() },
              "a call ended before its request was read",
            );
          },
        }),
    });
  };
}
