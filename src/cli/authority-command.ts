import { type Command, Option } from "commander";
import { AuthorityAxis, DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { type Asked, authorityText } from "./authority-text.ts";
import { addPageFlags, list } from "./lists.ts";
import { parseTime } from "./option-values.ts";
import type { Perform } from "./session.ts";

interface Flags extends Omit<Asked, "axis" | "key"> {
  readonly keyId: string;
  readonly prefix: string;
  readonly at: Date | undefined;
  readonly live?: boolean;
}

/** Adds `authority` to the command. */
export function addAuthorityCommand(program: Command, perform: Perform): void {
  const authority = program
    .command("authority")
    .description("who may sign what, now or at an earlier time; give at least one of the first four")
    .option("--member <member>", "everything that this member may sign", "")
    .option("--team <team>", "everything that this team may sign", "")
    .option("--key-id <id>", "everything that this key may sign: a key id, or the SHA-256 of a certificate", "")
    .option("--gun <gun>", "everyone who may sign this repository", "")
    .option("--prefix <prefix>", "only repositories whose name begins so", "")
    .option("--at <time>", "as of this time, instead of now", parseTime)
    .option("--decided", "what was decided, live or not; so it is without either")
    .addOption(new Option("--live", "what Notary showed, decided or not").conflicts("decided"));
  addPageFlags(authority).action(() =>
    perform(authority, (session) => {
      const { gun, team, member, keyId: key, prefix, at, live } = authority.opts<Flags>();
      const axis = live === true ? AuthorityAxis.LIVE : AuthorityAxis.DECIDED;
      return list(
        session,
        authority,
        DelegationServiceService.listAuthority,
        (page) => ({ ...page, gun, team, member, key, gunPrefix: prefix, axis, asOf: at }),
        "authorities",
        (answer) => authorityText({ gun, team, member, key, axis }, answer),
      );
    }),
  );
}
