import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../../src/embedded-postgres.ts";
import { migrate } from "../../src/schema.ts";
import { type LocalNotary, startLocalNotary } from "./notary.ts";
import { type LocalService, startLocalService } from "./service.ts";

/** Everything imagetrust needs and imagetrust itself, as processes that end with this one. */
export interface LocalStack {
  readonly notary: LocalNotary;
  readonly service: LocalService;
  /** Resolves when PostgreSQL is gone, whoever ended it; the others are started again when they die. */
  readonly ended: Promise<void>;
  /** Ends all of it in order; what was committed is kept. */
  stop(): Promise<void>;
}

/**
 * Starts one embedded PostgreSQL, a Notary and imagetrust on a directory, which is made or taken up as an earlier run left it.
 * Throws, with nothing left running, when a part does not start or somebody else uses the directory.
 */
export async function startStack(directory: string): Promise<LocalStack> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await using started = new AsyncDisposableStack();
  const postgres = await startEmbeddedPostgres({ directory: join(directory, "postgres") });
  started.defer(() => postgres.stop());
  await migrate(postgres.ownerUrl);
  const notary = await startLocalNotary({ directory: join(directory, "notary"), adminUrl: postgres.adminUrl });
  started.defer(() => notary.stop());
  const service = await startLocalService({
    directory: join(directory, "imagetrust"),
    databaseUrl: postgres.appUrl,
    notary,
  });
  started.defer(() => service.stop());
  const running = started.move();
  return { notary, service, ended: postgres.ended, stop: () => running.disposeAsync() };
}
