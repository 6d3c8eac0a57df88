import { runCommand } from "./program.ts";
import { processTerminal } from "./terminal.ts";

// grpc-js gives TLS a server name for addresses too, and Node warns of it on every call to one; nobody here can act on it.
process.noDeprecation = true;
process.exitCode = await runCommand(process.argv.slice(2), processTerminal());
