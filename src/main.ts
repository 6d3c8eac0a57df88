/** The service's processes: `serve`, `serve --check` and `migrate`. */
import { checkConfiguration } from "./check.ts";
import { parseConfig, parseMigrationUrl } from "./config.ts";
import { Fault } from "./errors.ts";
import { createLogger } from "./logger.ts";
import { migrate } from "./schema.ts";
import { serve } from "./serve.ts";

const usage = `usage: imagetrust serve [--check]   serve the API; --check only validates the configuration
       imagetrust migrate           bring the database to this version's schema, as its owner

Both are configured by environment variables; docs/configuration.md lists them.
`;

const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

async function run(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(usage);
    return exitCodes.ok;
  }
  switch (args.join(" ")) {
    case "serve":
      await serve(parseConfig(environment), environment, stopSignals());
      return exitCodes.ok;
    case "serve --check":
      await checkConfiguration(parseConfig(environment));
      process.stdout.write("the configuration is valid\n");
      return exitCodes.ok;
    case "migrate": {
      const applied = await migrate(parseMigrationUrl(environment));
      process.stdout.write(applied.length === 0 ? "the schema is up to date\n" : `applied ${applied.join(", ")}\n`);
      return exitCodes.ok;
    }
    default:
      process.stderr.write(usage);
      return exitCodes.usage;
  }
}

/** SIGTERM and SIGINT ask for a drain, SIGHUP for a reload of certificates and policies. */
function stopSignals(): { readonly stop: Promise<string>; readonly onReload: (reload: () => void) => void } {
  const stop = new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(name));
  });
  return { stop, onReload: (reload) => process.on("SIGHUP", reload) };
}

try {
  // A handler that is still busy when its grace is over must not keep the process.
  process.exit(await run(process.argv.slice(2), process.env));
} catch (error) {
  if (error instanceof Fault) process.stderr.write(`imagetrust: ${error.message}\n`);
  else createLogger("error").error({ err: error }, "the service ended unexpectedly");
  process.exit(exitCodes.failed);
}
