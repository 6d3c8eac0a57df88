import { startNotary } from "./notary.ts";
import { makeNotaryCli } from "./notary-cli.ts";
import { startPostgres } from "./postgres.ts";

/** Run as a program: starts everything with the PATH it was given, signs a tag and prints what `notary list` shows. */
const postgres = await startPostgres();
const notary = await startNotary(postgres);
const cli = await makeNotaryCli(notary);
await cli.mustRun("init", "-p", "dtr.example.org/dev/bare");
await cli.mustRun("addhash", "-p", "dtr.example.org/dev/bare", "v1", "42", "--sha256", "ab".repeat(32));
console.log(await cli.mustRun("list", "dtr.example.org/dev/bare"));
await cli.remove();
await notary.stop();
await postgres.stop();
