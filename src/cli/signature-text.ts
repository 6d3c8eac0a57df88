import {
  SignatureState,
  type SignedTag,
  type TagSignature,
  type TrustEvent,
} from "../../gen/imagetrust/v1/signature.ts";
import { nameOf } from "./json.ts";
import { details, table } from "./table.ts";
import { printable } from "./terminal.ts";
import { keyText, timeText, versionsText } from "./words.ts";

/** Signed tags, one a row. */
export function tagsText(tags: readonly SignedTag[]): string {
  const rows = tags.map((tag) => [
    tag.tag,
    standingText(tag),
    digestText(tag.digest),
    tag.members.join(" "),
    tag.teams.join(" "),
    timeText(tag.lastPublishTime),
  ]);
  return table(["TAG", "STATE", "DIGEST", "MEMBERS", "TEAMS", "PUBLISHED"], rows);
}

/** One signed tag with every signature of it. */
export function tagText(tag: SignedTag): string {
  const head = details([
    ["Gun", tag.gun],
    ["Tag", tag.tag],
    ["State", standingText(tag)],
    ["Digest", tag.digest],
    ["Length", tag.digest === "" ? "" : String(tag.length)],
    ["Members", tag.members.join(", ")],
    ["Teams", tag.teams.join(", ")],
    ["First published", timeText(tag.firstPublishTime)],
    ["Last published", timeText(tag.lastPublishTime)],
  ]);
  return `${head}\n${signaturesText(tag.signatures)}`;
}

/** One line for what happened, and one for each change. */
export function eventText(event: TrustEvent): string {
  const { signatures, roles } = event;
  const by = signatures === undefined ? [] : [`by ${signatures.keys.map(keyText).join(" ")}`];
  const files = roles.length === 0 ? [] : [versionsText(roles)];
  const head = [timeText(event.time), event.gun, event.eventType, ...files, ...by].map(printable).join("  ");
  return [head, ...event.changes.map((change) => `  ${printable(change)}`)].map((line) => `${line}\n`).join("");
}

function signaturesText(signatures: readonly TagSignature[]): string {
  const rows = signatures.map((signature) => [
    signature.role,
    nameOf(SignatureState, signature.state),
    digestText(signature.digest),
    String(signature.version),
    signature.signedBy.map(keyText).join(" "),
    signature.introducedBy.map(keyText).join(" "),
    timeText(signature.publishTime),
  ]);
  return table(["ROLE", "STATE", "DIGEST", "VERSION", "SIGNED BY", "INTRODUCED BY", "PUBLISHED"], rows);
}

function standingText({ released, orphaned, disputed }: SignedTag): string {
  if (orphaned) return "orphaned";
  return [released ? "released" : "not released", ...(disputed ? ["disputed"] : [])].join(", ");
}

/** Enough of a digest to tell images apart. */
function digestText(digest: string): string {
  return digest === "" ? "-" : digest.slice(0, "sha256:".length + 12);
}
