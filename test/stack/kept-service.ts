import { join } from "node:path";
import { pino } from "pino";
import { createLogger, type Logger, type LogLevel } from "../../src/logger.ts";
import { keepSecret, keepText, keptFolder } from "./kept.ts";
import { rowsOfAllTables } from "./rows.ts";
import { sealedKeysOf } from "./sealed-keys.ts";

/** A logger as wished; when the run is searched at its end, everything is logged into what is kept. */
export function openLog(level: LogLevel): Logger {
  if (keptFolder === undefined) return createLogger(level);
  return createLogger("debug", pino.destination({ dest: join(keptFolder, `house-${process.pid}.text`), sync: true }));
}

/** Keeps the rows of a service's database, the key-encryption key and some of the keys sealed under it, for a search. */
export async function keepService(url: string, kek: string, deployment: string): Promise<void> {
  if (keptFolder === undefined) return;
  keepSecret("a key-encryption key", Buffer.from(kek, "base64"));
  for (const { name, key } of await sealedKeysOf(url, kek, deployment, 10)) {
    keepSecret(name, String(key.export({ type: "pkcs8", format: "pem" })));
  }
  keepText("tables", await rowsOfAllTables(url));
}
