import { promises } from "node:fs";
import { Fault } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { type Authorities, parseAuthorities } from "../x509/authorities.ts";
import type { RpcMetrics } from "./metrics.ts";
import { directoriesOf, watchFiles } from "./watch-files.ts";

/** PEM of the authorities that members' certificates must descend from, and the files of their revocation lists, if they are asked. */
export interface AuthorityFiles {
  readonly bundleFile: string;
  readonly listFiles: readonly string[];
}

/** Authorities that may change while the service runs. */
export interface AuthoritySource {
  readonly current: Authorities;
  /** Looks for changes at once, as on SIGHUP. */
  reload(): Promise<void>;
  close(): void;
}

/**
 * Reads the files and follows their changes, as openCertificates does: a set that cannot be used is not taken up, and the last good one
 * goes on. Throws INVALID_FIELD with every fault when they cannot be used at the start.
 */
export async function openMemberAuthorities(
  files: AuthorityFiles,
  log: Logger,
  metrics: RpcMetrics,
  pollMs?: number,
): Promise<AuthoritySource> {
  const paths = [files.bundleFile, ...files.listFiles];
  const first = await read(files);
  if (!first.ok) {
    const fields = first.faults.map((fault) => ({ field: "member authorities", fault }));
    throw new Fault(
      "INVALID_FIELD",
      `The authorities of members' certificates cannot be used:\n  ${first.faults.join("\n  ")}`,
      {
        fields,
      },
    );
  }
  let current = first.value;
  tellEnd(current, log, metrics);
  const watch = await watchFiles({
    files: () => Promise.resolve(paths),
    directories: directoriesOf(paths),
    failed: (error) => log.error({ err: error }, "kept the old member authorities"),
    changed: async () => {
      const again = await read(files);
      metrics.authoritiesReloaded(again.ok ? "changed" : "kept");
      if (!again.ok) {
        log.error({ faults: again.faults }, "kept the old member authorities");
        return;
      }
      current = again.value;
      log.info({ authorities: current.anchors.length }, "took up changed member authorities");
      tellEnd(current, log, metrics);
    },
    ...(pollMs === undefined ? {} : { pollMs }),
  });
  return {
    get current() {
      return current;
    },
    reload: () => watch.look(),
    close: () => watch.close(),
  };
}

async function read({ bundleFile, listFiles }: AuthorityFiles): Promise<ReturnType<typeof parseAuthorities>> {
  const faults: string[] = [];
  const contents = await Promise.all(
    [bundleFile, ...listFiles].map((path) =>
      promises.readFile(path).catch((error: NodeJS.ErrnoException) => {
        faults.push(`${path} cannot be read (${error.code})`);
        return Buffer.alloc(0);
      }),
    ),
  );
  if (faults.length > 0) return { ok: false, faults };
  const [bundle = Buffer.alloc(0), ...lists] = contents;
  return parseAuthorities(bundle, listFiles.length === 0 ? undefined : lists);
}

/** The first revocation list that ends stops what it is asked for. */
function tellEnd({ lists = [] }: Authorities, log: Logger, metrics: RpcMetrics): void {
  const [nextUpdate] = lists.map((list) => list.nextUpdate).sort((one, other) => one.getTime() - other.getTime());
  if (nextUpdate === undefined) return;
  metrics.revocationListEnds(nextUpdate);
  if (nextUpdate.getTime() < Date.now()) log.warn({ nextUpdate }, "a revocation list of a member authority has ended");
}
