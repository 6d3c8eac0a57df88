import type { Command } from "commander";
import { CollectionState, type TeamGrant, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { addChangeFlags, change } from "./change.ts";
import { UsageError } from "./exit-code.ts";
import { addPageFlags, list } from "./lists.ts";
import { collect, collectEnum, collectLabel, parseGeneration } from "./option-values.ts";
import { type Perform, show } from "./session.ts";
import { trustLine, trustsText, trustText } from "./trust-text.ts";
import { awaitTrust } from "./trust-wait.ts";

interface InitFlags {
  readonly team: readonly string[];
  readonly excludeFromReleases: readonly string[];
  readonly releasesPath: readonly string[];
  readonly label: Readonly<Record<string, string>>;
  readonly displayName: string;
  readonly keyBackend: string;
  readonly notary: string;
}

/** Adds `init` and `trust` to the command. */
export function addTrustCommands(program: Command, perform: Perform): void {
  addInit(program, perform);
  const trust = program.command("trust").description("collections: the trust metadata of repositories");
  addReads(trust, perform);
  addDelete(trust, perform);
}

function addInit(program: Command, perform: Perform): void {
  const command = program
    .command("init <gun>")
    .description("make trust for a repository, and delegate it to teams, in one publication")
    .option("--team <team[:path,path]>", "delegate to this team at once (repeatable)", collect, [])
    .option("--exclude-from-releases <team>", "keep this team out of targets/releases (repeatable)", collect, [])
    .option(
      "--releases-path <prefix>",
      "tag prefix that targets/releases may sign (repeatable; default: all)",
      collect,
      [],
    )
    .option("--label <name=value>", "a label (repeatable)", collectLabel, {})
    .option("--display-name <name>", "a name for people", "")
    .option("--key-backend <name>", "where the collection's keys are made", "")
    .option("--notary <name>", "which of the service's Notary servers", "");
  addChangeFlags(command, []).action((gun: string) =>
    perform(command, (session) => {
      const flags = command.opts<InitFlags>();
      return change(session, command, {
        method: TrustServiceService.initializeTrust,
        request: (options) => ({
          gun,
          teams: parseGrants(flags.team, flags.excludeFromReleases),
          labels: flags.label,
          keyBackend: flags.keyBackend,
          notary: flags.notary,
          releasesPaths: flags.releasesPath,
          displayName: flags.displayName,
          options,
        }),
        made: ({ trust }) => trustLine(trust),
        publishes: true,
      });
    }),
  );
}

/** Reads `team[:path,path]`. Throws UsageError where an excluded team is not among them. */
function parseGrants(teams: readonly string[], excluded: readonly string[]): readonly TeamGrant[] {
  const grants = teams.map((text) => {
    const colon = text.indexOf(":");
    const team = colon < 0 ? text : text.slice(0, colon);
    const paths = colon < 0 ? [] : text.slice(colon + 1).split(",");
    return { team, paths, excludeFromReleases: excluded.includes(team) };
  });
  const stray = excluded.filter((team) => !grants.some((grant) => grant.team === team));
  if (stray.length > 0) {
    throw new UsageError(`--exclude-from-releases names ${stray.join(", ")}, which no --team gives.`);
  }
  return grants;
}

function addReads(trust: Command, perform: Perform): void {
  const get = trust.command("get <gun>").description("show a collection, as decided and as live on Notary");
  get.action((gun: string) =>
    perform(get, async (session) => {
      const request = { gun, minPublishedGeneration: 0n, minTeamRevisions: [] };
      const response = await session.api.call(TrustServiceService.getTrust, request, session.deadline);
      show(session, response, ({ trust }) => (trust === undefined ? "" : trustText(session.terminal, trust)));
      return 0;
    }),
  );

  const wait = trust
    .command("wait <gun>")
    .description("wait until what is decided is live; exit code 3 if it is blocked, or not live by --timeout")
    .option("--generation <number>", "wait for this generation (default: the newest, and its teams)", parseGeneration);
  wait.action((gun: string) =>
    perform(wait, (session) => awaitTrust(session, gun, wait.opts<{ generation?: bigint }>().generation)),
  );

  const several = trust
    .command("list")
    .description("list collections")
    .option("--prefix <text>", "only GUNs that begin so", "")
    .option("--state <state>", "only those in this state (repeatable)", collectEnum(CollectionState), [])
    .option("--team <team>", "only those delegated to this team", "");
  addPageFlags(several).action(() =>
    perform(several, (session) => {
      const flags = several.opts<{ prefix: string; state: readonly CollectionState[]; team: string }>();
      return list(
        session,
        several,
        TrustServiceService.listTrusts,
        (page) => ({ ...page, gunPrefix: flags.prefix, states: flags.state, team: flags.team }),
        "trusts",
        (response) => trustsText(response.trusts, response.nextPageToken),
      );
    }),
  );
}

function addDelete(trust: Command, perform: Perform): void {
  const command = trust.command("delete <gun>").description("forget a collection that never was published");
  addChangeFlags(command, ["etag"]).action((gun: string) =>
    perform(command, (session) =>
      change(session, command, {
        method: TrustServiceService.deleteTrust,
        request: (options) => ({ gun, options }),
        made: ({ trust }) => trustLine(trust),
        publishes: false,
      }),
    ),
  );
}
