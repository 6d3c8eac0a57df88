import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import type { Delegation } from "../../gen/imagetrust/v1/delegation.ts";
import { nameOf } from "./json.ts";
import { details, table } from "./table.ts";
import { keyText, pathsText, timeText, yesNo } from "./words.ts";

/** Delegations, one a row. */
export function delegationsText(delegations: readonly Delegation[]): string {
  const rows = delegations.map((delegation) => [
    delegation.gun,
    delegation.team,
    nameOf(PublicationState, delegation.state),
    pathsText(delegation.paths),
    yesNo(!delegation.excludeFromReleases),
    delegation.keys.map(keyText).join(" "),
  ]);
  return table(["GUN", "TEAM", "STATE", "PATHS", "RELEASES", "KEYS"], rows);
}

/** One delegation, its keys in full. */
export function delegationText(delegation: Delegation): string {
  const keys = delegation.keys.map((key) => [key.canonicalKeyId, key.member, key.algorithm, key.certificate]);
  return (
    details([
      ["Gun", delegation.gun],
      ["Team", delegation.team],
      ["State", nameOf(PublicationState, delegation.state)],
      ["Paths", pathsText(delegation.paths)],
      ["In releases", yesNo(!delegation.excludeFromReleases)],
      ["Team revision", `${delegation.publishedTeamRevision}/${delegation.teamRevision}`],
      ["Decided", timeText(delegation.createTime)],
      ["Live since", timeText(delegation.publishTime)],
      ["Made by rule", delegation.rule],
      ["Etag", delegation.etag],
    ]) + (keys.length === 0 ? "" : `\n${table(["KEY ID", "MEMBER", "ALGORITHM", "CERTIFICATE"], keys)}`)
  );
}
