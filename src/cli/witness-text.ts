import type { SignerSetup } from "./member-setup.ts";
import { clientCommands, notaryOf, preparationLines, printableLines, quoted } from "./member-setup-text.ts";
import type { WitnessedRole } from "./witness.ts";

/** The notary commands that sign roles again, as a shell takes them. */
export interface WitnessCommands {
  readonly importKey: string;
  /** Stages the roles' newest content, whoever signed it. */
  readonly witness: string;
  /** Stages that tags are left out of it. */
  readonly remove: readonly string[];
  /** Signs and publishes what is staged, in one file for each role. */
  readonly publish: string;
  readonly list: readonly string[];
}

/**
 * Source: `notary help witness` of 0.7.0; the client takes up the newest file of a role even where its signer is gone. What is staged is
 * applied in order, so that a tag that is left out never becomes valid again.
 */
export function witnessCommands(
  setup: SignerSetup,
  roles: readonly WitnessedRole[],
  without: readonly string[],
): WitnessCommands {
  const { importKey, publish } = clientCommands(setup);
  const notary = notaryOf(setup.configFile, setup.written);
  const gun = quoted(setup.gun);
  return {
    importKey,
    witness: `${notary} witness ${gun} ${roles.map(({ role }) => quoted(role)).join(" ")}`,
    remove: without.map((tag) => {
      const holding = roles.filter(({ tags }) => tags.some((one) => one.tag === tag));
      return `${notary} remove ${gun} ${quoted(tag)} ${holding.map(({ role }) => `-r ${quoted(role)}`).join(" ")}`;
    }),
    publish,
    list: roles.map(({ role }) => `${notary} list ${gun} -r ${quoted(role)}`),
  };
}

/** Everything as a page to read that is also a shell script, once the configuration is in its place. */
export function witnessText(setup: SignerSetup, roles: readonly WitnessedRole[], without: readonly string[]): string {
  const { witness, remove, publish, list } = witnessCommands(setup, roles, without);
  return printableLines([
    ...preparationLines(setup, `Signing again what stands in ${setup.gun}`),
    "# This is what you sign, each role as a whole. Compare it with what you built: nobody who may sign vouches for it now.",
    "# Leave out what is wrong: repeat this command with --without TAG.",
    ...roles.flatMap((role) => roleLines(role, without)),
    "",
    witness,
    ...remove,
    publish,
    ...list,
    `# Every role is trusted again when this lists nothing: imagetrust tags ${setup.gun} --state orphaned`,
  ]);
}

function roleLines({ role, version, tags }: WitnessedRole, without: readonly string[]): readonly string[] {
  const lines = tags.map(({ tag, digest, length, introducedBy }) => {
    const by = introducedBy.map((member) => member || "a key of nobody known").join(", ");
    return `#   ${tag} ${digest} ${length} bytes, first signed by ${by}${without.includes(tag) ? " (left out)" : ""}`;
  });
  return [`# ${role}, version ${version}:`, ...lines];
}
