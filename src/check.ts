import type { Config } from "./config.ts";
import { keyEncryptionKeyOf } from "./configured-key.ts";
import { Fault } from "./errors.ts";
import { createLogger } from "./logger.ts";
import { openNotaryServers } from "./notary/directory.ts";
import { openPolicyDirectory } from "./rpc/authorize.ts";
import { openMemberAuthorities } from "./rpc/member-authorities.ts";
import { createRpcMetrics } from "./rpc/metrics.ts";
import { openCertificates } from "./rpc/tls.ts";

/** Says whether `serve` would start with this configuration, as far as that can be told without a database or a Notary. */
export async function checkConfiguration(config: Config): Promise<void> {
  const log = createLogger("silent");
  const metrics = createRpcMetrics();
  const { tls, policyDirectory, memberAuthorities } = config;
  await together([
    async () => await openNotaryServers(config.notaryServers).close(),
    async () => void (config.keyEncryptionKey !== undefined && (await keyEncryptionKeyOf(config))),
    async () => void (tls !== undefined && (await openCertificates(tls, log, metrics)).close()),
    async () =>
      void (memberAuthorities !== undefined && (await openMemberAuthorities(memberAuthorities, log, metrics)).close()),
    async () =>
      void (policyDirectory !== undefined && (await openPolicyDirectory(policyDirectory, log, metrics)).close()),
  ]);
}

/** Makes every check, then throws the faults of all that failed as one. */
async function together(checks: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: Fault[] = [];
  for (const check of checks) {
    await check().catch((error: unknown) => {
      if (!(error instanceof Fault)) throw error;
      failures.push(error);
    });
  }
  const [first, ...more] = failures;
  if (first === undefined) return;
  if (more.length === 0) throw first;
  const fields = failures.flatMap((failure) => failure.fields);
  throw new Fault(first.reason, failures.map((failure) => failure.message).join("\n"), { fields });
}
