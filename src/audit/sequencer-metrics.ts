import { metrics } from "@opentelemetry/api";
import type { Sequencer } from "./sequencer.ts";

/** Shows operators how far the log is behind; the process's meter provider must be registered before. */
export function observeSequencer(sequencer: Pick<Sequencer, "lagMs" | "waiting">): void {
  const meter = metrics.getMeter("imagetrust");
  const lag = meter.createObservableGauge("audit_lag_seconds", {
    description: "How long the audit log has not caught up with the records that wait; above 30 changes are refused.",
    unit: "s",
  });
  const waiting = meter.createObservableGauge("audit_waiting_records", {
    description: "Records that wait to enter the audit log, as last seen; above 50,000 changes are refused.",
  });
  lag.addCallback((result) => result.observe(sequencer.lagMs / 1_000));
  waiting.addCallback((result) => result.observe(sequencer.waiting));
}
