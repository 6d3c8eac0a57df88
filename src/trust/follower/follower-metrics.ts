import { metrics } from "@opentelemetry/api";
import type { FateEvent } from "./signature-record.ts";

/** What operators see of the follower. */
export interface FollowerMetrics {
  /** How long ago everything that a server's changefeed told was kept; undefined where another process follows it. */
  observeLag(secondsOf: () => readonly { readonly server: string; readonly seconds: number }[]): void;
  /** A version of a delegation file was kept. */
  kept(isValid: boolean): void;
  /** Signatures that a file brought or took away, or that a publication of ours changed the worth of. */
  changed(change: "added" | "removed" | FateEvent, count: number): void;
}

/** Makes the instruments; the process's meter provider must be registered before. */
export function createFollowerMetrics(): FollowerMetrics {
  const meter = metrics.getMeter("imagetrust");
  const lag = meter.createObservableGauge("follower_lag_seconds", {
    description: "How long ago everything that a Notary server's changefeed told was kept.",
    unit: "s",
  });
  const files = meter.createCounter("follower_files_kept_total", {
    description: "Versions of delegation files that were kept, by whether they verified.",
  });
  const signatures = meter.createCounter("follower_signatures_total", {
    description: "Signatures of tags that delegation files brought or took away, and what publications made of them.",
  });
  return {
    observeLag: (secondsOf) => {
      lag.addCallback((result) => {
        for (const { server, seconds } of secondsOf()) result.observe(seconds, { server });
      });
    },
    kept: (isValid) => files.add(1, { valid: String(isValid) }),
    changed: (change, count) => {
      if (count > 0) signatures.add(count, { change });
    },
  };
}
