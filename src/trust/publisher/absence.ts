import { type Gun, rootRole, timestampRole } from "../../names.ts";
import type { NotaryServer } from "../../notary/server.ts";
import type { AbsenceReads } from "../../tuf/verify.ts";

/**
 * Reads what shows whether Notary holds anything of a GUN. Where it holds something the roots are read once more: another replica's
 * first publication may have landed between two reads, and a timestamp must never be judged beside a root read before it.
 */
export async function readAbsence(server: NotaryServer, gun: Gun, signal: AbortSignal): Promise<AbsenceReads> {
  const root = (version: number) => server.readVersion(gun, rootRole, version, signal);
  const [root1, root2, timestamp] = await Promise.all([
    root(1),
    root(2),
    server.readCurrent(gun, timestampRole, signal),
  ]);
  if (timestamp === undefined) return { root1, root2, timestamp };
  const [again1, again2] = await Promise.all([root(1), root(2)]);
  return { root1: again1, root2: again2, timestamp };
}
