import { trace } from "@opentelemetry/api";
import { type DestinationStream, pino } from "pino";

/** Writes for operators: a constant message, data in fields, once per event, never a secret. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds these fields to every line. */
  child(fields: object): Logger;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * A logger of one JSON object per line, with the active span's `trace_id` and `span_id`. Writes to standard output unless given
 * another destination. Fields named like secrets, PEM private keys and passwords in URLs are blotted out: a second line of
 * defence, not a licence to log them.
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: traceIds,
      redact: { paths: secretPaths, censor: blot },
      hooks: { streamWrite: blotSecrets },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

const blot = "[redacted]";
const secretNames = [
  "password",
  "passphrase",
  "secret",
  "token",
  "privateKey",
  "private_key",
  "keyEncryptionKey",
  "connectionString",
  "authorization",
];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Both stay inside one JSON string, so that the line remains JSON. */
const privateKeyBlock = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\\.|[^"\\])*/g;
const urlCredentials = /(:\/\/)[^\s"/@:]*:[^\s"@]*@/g;

function blotSecrets(line: string): string {
  return line.replace(privateKeyBlock, blot).replace(urlCredentials, `$1${blot}@`);
}

function traceIds(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
