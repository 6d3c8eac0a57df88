import { type KeyRef, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { CollectionState, type RoleState, type Trust } from "../../gen/imagetrust/v1/trust.ts";
import { delegationsText } from "./delegation-text.ts";
import { nameOf } from "./json.ts";
import { publicationDetail } from "./outcome-text.ts";
import { details, table } from "./table.ts";
import { coloured, printable, type Terminal } from "./terminal.ts";
import { keyText, labelsText, moreText, pathsText, timeText, versionsText, yesNo } from "./words.ts";

/** A collection in one line. */
export function trustLine(trust: Trust | undefined): string {
  if (trust === undefined) return "";
  const { publication } = trust;
  const live = publication === undefined ? "" : versionsText(publication.roles);
  const why = publication === undefined ? "" : publicationDetail(publication);
  const parts = [live === "" ? "" : `live: ${live}`, why].filter((part) => part !== "").join("; ");
  return printable(`${trust.gun}  ${nameOf(CollectionState, trust.state)}${parts === "" ? "" : `  ${parts}`}`).concat(
    "\n",
  );
}

/** Collections, one a row. */
export function trustsText(trusts: readonly Trust[], nextPageToken: string): string {
  if (trusts.length === 0) return "No collections.\n";
  const rows = trusts.map((trust) => [
    trust.gun,
    nameOf(CollectionState, trust.state),
    generationText(trust),
    trust.notary,
    timeText(trust.verifyTime),
    trust.displayName,
  ]);
  return table(["GUN", "STATE", "GENERATION", "NOTARY", "VERIFIED", "NAME"], rows) + moreText(nextPageToken);
}

/** A collection with its roles, keys and delegations. */
export function trustText(terminal: Terminal, trust: Trust): string {
  const { publication } = trust;
  const head = details([
    ["Gun", trust.gun],
    ["Name", trust.displayName],
    ["State", nameOf(CollectionState, trust.state)],
    ["Generation", generationText(trust)],
    ["Detail", publication === undefined ? "" : publicationDetail(publication)],
    ["Notary", [trust.notary, trust.notaryUrl].filter((part) => part !== "").join(" ")],
    ["Root pin", trust.rootPin],
    ["Root certificate", trust.rootCertificateSha256 === "" ? "" : `sha256 ${trust.rootCertificateSha256}`],
    ["Releases paths", pathsText(trust.releasesPaths)],
    ["Labels", labelsText(trust.labels)],
    ["Initialized", timeText(trust.createTime)],
    ["Published", timeText(publication?.publishTime)],
    ["Verified", timeText(trust.verifyTime)],
    ["Etag", trust.etag],
  ]);
  const roles = [...trust.roles, ...trust.publishedDelegations];
  const blocked = publication?.state === PublicationState.BLOCKED ? `${coloured(terminal, "red", "BLOCKED")}\n` : "";
  return [
    blocked + head,
    roles.length === 0 ? "" : `\nLive on Notary\n${rolesText(roles)}`,
    trust.desiredDelegations.length === 0
      ? ""
      : `\nDelegations as decided\n${delegationsText(trust.desiredDelegations)}`,
    roles.length === 0 ? "" : `\nKeys\n${keysText(roles)}`,
  ].join("");
}

function generationText({ publication }: Trust): string {
  return publication === undefined ? "" : `${publication.publishedGeneration}/${publication.generation}`;
}

function rolesText(roles: readonly RoleState[]): string {
  const rows = roles.map((role) => [
    role.version?.role ?? "",
    role.version === undefined || role.version.version === 0 ? "-" : String(role.version.version),
    signedText(role),
    timeText(role.version?.expireTime),
    role.paths.length === 0 ? "" : pathsText(role.paths),
    role.keys.map(keyText).join(" "),
  ]);
  return table(["ROLE", "VERSION", "SIGNED", "EXPIRES", "PATHS", "KEYS"], rows);
}

function signedText(role: RoleState): string {
  if (role.orphaned) return "orphaned";
  if (role.suspended) return "not valid";
  return yesNo(role.signed);
}

/** Every key in full, since people compare these ids with what the notary CLI shows. */
function keysText(roles: readonly RoleState[]): string {
  const found = new Map<string, { key: KeyRef; roles: string[] }>();
  for (const role of roles) {
    for (const key of role.keys) {
      const entry = found.get(key.tufKeyId) ?? { key, roles: [] };
      entry.roles.push(role.version?.role ?? "");
      found.set(key.tufKeyId, entry);
    }
  }
  const rows = [...found.values()].map(({ key, roles }) => [
    key.canonicalKeyId,
    key.member === "" ? key.backend : key.member,
    key.algorithm,
    roles.join(", "),
  ]);
  return table(["KEY ID", "OWNER", "ALGORITHM", "ROLES"], rows);
}
