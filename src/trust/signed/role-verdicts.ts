import type { Queryable } from "../../database.ts";
import type { RoleName } from "../../names.ts";
import { keepRecent } from "../../recent.ts";
import { parseTargets } from "../../tuf/envelope.ts";
import type { TargetsContent } from "../../tuf/payload.ts";
import { judgeSignedFile } from "../../tuf/signed-file.ts";
import type { Collection } from "../collection-store.ts";
import { ownTargets } from "../follower/followed-store.ts";
import { keptBytes, type RoleFileRow, targetsInForce } from "./signed-tags-store.ts";
import type { RoleVerdict } from "./tag-view.ts";

/** Judges files by the targets in force. The same file under the same targets is judged once. */
export interface RoleVerdicts {
  of(db: Queryable, collection: Collection, files: readonly RoleFileRow[]): Promise<ReadonlyMap<RoleName, RoleVerdict>>;
}

const mostKept = 20_000;

export function createRoleVerdicts(): RoleVerdicts {
  const known = keepRecent<string, RoleVerdict>(mostKept, ({ paths }) => 1 + paths.length);
  return {
    of: async (db, collection, files) => {
      const targets = await targetsInForce(db, collection);
      if (targets === undefined) return new Map();
      const inForce = targets.toString("hex");
      let content: TargetsContent | undefined;
      const verdicts = new Map<RoleName, RoleVerdict>();
      for (const { role, sha256 } of files) {
        const key = `${inForce} ${role} ${sha256.toString("hex")}`;
        let verdict = known.get(key);
        if (verdict === undefined) {
          content ??= parseTargets((await ownTargets(db, collection, targets)) ?? noTargets(collection)).content;
          verdict = verdictOf(content, role, await keptBytes(db, sha256));
          known.set(key, verdict);
        }
        verdicts.set(role, verdict);
      }
      return verdicts;
    },
  };
}

function noTargets({ id }: Collection): never {
  throw new Error(`collection ${id} has no targets in force`);
}

function verdictOf(targets: TargetsContent, role: RoleName, bytes: Buffer): RoleVerdict {
  const judged = judgeSignedFile(targets, role, bytes);
  return {
    isValid: judged?.isValid ?? false,
    expires: judged?.expires ?? new Date(0),
    paths: targets.roles.find(({ name }) => name === role)?.paths ?? [],
  };
}
