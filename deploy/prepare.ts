/**
 * Makes every secret and certificate of docker-compose.yml once: a folder for each consumer, and in it only what that one needs.
 * Root hands each file to its consumer's account. What an earlier run completed is left alone. Later it issues further client
 * certificates and says what their holders may do.
 */
import { parseArgs } from "node:util";
import { issueClient } from "./prepare/client.ts";
import { isPrepared, prepareFirstStart } from "./prepare/first-start.ts";
import { Refusal } from "./prepare/refusal.ts";
import { setRights } from "./prepare/rights.ts";

const usage = `usage: prepare.ts FOLDER                       make what the first start needs
       prepare.ts FOLDER client NAME [OPTION...]  issue a client certificate for NAME, or a newer one
         --role admin|auditor|viewer  put NAME into a role
         --owns PREFIX                let NAME own a repository, or all below a PREFIX/; may be repeated
         --days DAYS                  how long it is valid, 365
       prepare.ts FOLDER withdraw NAME            take all rights from NAME
`;
const now = new Date();

try {
  await run(readArguments());
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`prepare: ${error.message}\n`);
  process.exit(1);
}

type Arguments = ReturnType<typeof readArguments>;

async function run({ root, command, ...client }: Arguments): Promise<void> {
  if (command === undefined) return await prepare(root);
  if (!(await isPrepared(root))) throw new Refusal("nothing is prepared yet; start the services once, then try again");
  if (command === "withdraw") {
    await setRights(root, client.name, undefined);
    say(`${client.name} may do nothing any more, half a minute from now at the latest`);
  } else {
    await issueClient(root, client, now);
    say(`issued ${client.name}.pem and ${client.name}-key.pem`);
  }
}

async function prepare(root: string): Promise<void> {
  if (await isPrepared(root)) return say("prepared already");
  // Compose passes an unset variable on as an empty one.
  await prepareFirstStart(root, process.env["PUBLIC_HOST"] || "localhost", now);
  say("prepared");
}

function readArguments() {
  const { positionals, values } = parseOrExit();
  const [root, command, name = "", ...rest] = positionals;
  const { role, owns = [], days = "365" } = values;
  const isKnown = command === undefined || command === "client" || command === "withdraw";
  const isRole = role === undefined || ["admin", "auditor", "viewer"].includes(role);
  const isDays = /^[1-9][0-9]{0,3}$/.test(days);
  const isNamed = (command === undefined) === (name === "") && rest.length === 0;
  const isOptioned = command === "client" || Object.keys(values).length === 0;
  if (root === undefined || !isKnown || !isRole || !isDays || !isNamed || !isOptioned) return endWithUsage();
  return { root, command, name, role, owns, days: Number(days) };
}

function parseOrExit() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { role: { type: "string" }, owns: { type: "string", multiple: true }, days: { type: "string" } },
    });
  } catch {
    return endWithUsage();
  }
}

function endWithUsage(): never {
  process.stderr.write(usage);
  process.exit(2);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
