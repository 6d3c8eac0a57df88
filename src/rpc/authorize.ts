import { randomUUID } from "node:crypto";
import {
  type EntityJson,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
} from "@cedar-policy/cedar-wasm/nodejs";
import type { Authorization } from "../audit/call.ts";
import { Fault } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { RpcMetrics } from "./metrics.ts";
import { keyOf, loadPolicies, type PolicySet, policyFiles, policySchema } from "./policy-set.ts";
import { entityOf, nameOf, type Resource, uidOf } from "./resource.ts";
import { watchFiles } from "./watch-files.ts";

/** Decides whether a caller may do something. What no policy permits is denied. */
export interface Authorizer {
  /** The answer as records keep it: each deciding policy as `id@version`. */
  decide(caller: string, action: string, resource: Resource): Authorization;
  /** The version of the policies in use. */
  readonly version: string;
}

/** An Authorizer that follows the files of a directory. */
export interface PolicyDirectory extends Authorizer {
  /** Looks for changes at once, as on SIGHUP; a broken set is refused and the last good one goes on. */
  reload(): Promise<void>;
  close(): void;
}

/**
 * Loads the policies of a directory and follows its changes. Throws INVALID_FIELD with every fault when the directory cannot be
 * used at the start.
 */
export async function openPolicyDirectory(
  directory: string,
  log: Logger,
  metrics: RpcMetrics,
  pollMs?: number,
): Promise<PolicyDirectory> {
  const name = randomUUID();
  let current = createAuthorizer(requirePolicies(directory), name);
  const watch = await watchFiles({
    files: () => Promise.resolve(filesOf(directory)),
    directories: [directory],
    failed: (error) => log.error({ err: error, directory }, "kept the old policies"),
    changed: () => {
      const loaded = loadPolicies(directory);
      metrics.policiesReloaded(loaded.ok ? "changed" : "kept");
      if (loaded.ok) {
        current = createAuthorizer(loaded.value, name);
        log.info({ directory, version: current.version }, "took up changed policies");
      } else {
        log.error({ directory, faults: loaded.faults, version: current.version }, "kept the old policies");
      }
      return Promise.resolve();
    },
    ...(pollMs === undefined ? {} : { pollMs }),
  });
  return {
    decide: (caller, action, resource) => current.decide(caller, action, resource),
    get version() {
      return current.version;
    },
    reload: () => watch.look(),
    close: () => watch.close(),
  };
}

/**
 * Parses the set once for all decisions, under a name: a second set under the same name takes the first one's place.
 * A decision that was taken once is remembered, because it depends on nothing but the question.
 */
export function createAuthorizer(set: PolicySet, name: string = randomUUID()): Authorizer {
  preparse(set, name);
  const taken = new Map<string, Authorization>();
  const sharesAnswers = looksOnlyAtOwners(set);
  return {
    version: set.version,
    decide: (caller, action, resource) => {
      const alike = sharesAnswers && resource.type === "Collection" ? ownedPrefixesOf(set, caller, resource) : resource;
      const question = JSON.stringify([caller, action, resource.type, alike]);
      const known = taken.get(question);
      if (known !== undefined) return { ...known, resource: nameOf(resource) };
      const authorization = ask(set, name, caller, action, resource);
      if (taken.size >= mostRemembered) taken.clear();
      taken.set(question, authorization);
      return authorization;
    },
  };
}

/**
 * Whether all that the policies ask of a resource is whether the caller owns it, so that what holds of one repository holds of every
 * one in the same owned prefixes. Any other mention, in a comment too, counts as another question.
 */
function looksOnlyAtOwners(set: PolicySet): boolean {
  return Object.values(set.policies).every((policy) => {
    const rest = policy
      .replaceAll(/\bresource in principal\.(?:owns|teams|members)\b/g, "")
      .replace(/,\s*resource\s*,?\s*\)/, "");
    return !rest.includes("resource") && !rest.includes("Prefix::") && !rest.includes("Collection::");
  });
}

/** The prefixes of the caller's own that a resource lies in. */
function ownedPrefixesOf(set: PolicySet, caller: string, { parents }: Resource): readonly string[] {
  const owned = JSON.stringify(set.entities.get(keyOf({ type: identityType, id: caller }))?.attrs["owns"] ?? []);
  return parents.map((parent) => parent.id).filter((id) => owned.includes(JSON.stringify(id)));
}

const mostRemembered = 4_096;
const schemaName = "imagetrust";

function preparse(set: PolicySet, name: string): void {
  for (const answer of [
    preparseSchema(schemaName, policySchema),
    preparsePolicySet(name, { staticPolicies: { ...set.policies } }),
  ]) {
    if (answer.type === "failure") throw new Error(answer.errors.map((error) => error.message).join("; "));
  }
}

function ask(set: PolicySet, name: string, caller: string, action: string, resource: Resource): Authorization {
  const answer = statefulIsAuthorized({
    principal: { type: identityType, id: caller },
    action: { type: "ImageTrust::Action", id: action },
    resource: uidOf(resource),
    context: {},
    preparsedSchemaName: schemaName,
    validateRequest: true,
    preparsedPolicySetId: name,
    entities: [...principalsOf(set, caller), entityOf(resource)],
  });
  // A question that does not fit the schema is no reason to let anybody in.
  const permitted = answer.type === "success" && answer.response.decision === "allow";
  const deciding = answer.type === "success" ? answer.response.diagnostics.reason : [];
  return {
    action,
    resource: nameOf(resource),
    decision: permitted ? "ALLOW" : "DENY",
    policies: (deciding.length === 0 ? ["default-deny"] : deciding).map((id) => `${id}@${set.version}`),
  };
}

const identityType = "ImageTrust::Identity";

/** The caller and everything it is in; somebody whom entities.json does not name owns nothing and is in nothing. */
function principalsOf(set: PolicySet, caller: string): EntityJson[] {
  const uid = { type: identityType, id: caller };
  const known = set.entities.get(keyOf(uid)) ?? { uid, attrs: { owns: [], teams: [], members: [] }, parents: [] };
  const found = new Map([[keyOf(uid), known]]);
  for (const entity of found.values()) {
    for (const parent of entity.parents) {
      const entry = set.entities.get(keyOf(parent));
      if (entry !== undefined) found.set(keyOf(parent), entry);
    }
  }
  return [...found.values()];
}

function requirePolicies(directory: string): PolicySet {
  const loaded = loadPolicies(directory);
  if (loaded.ok) return loaded.value;
  const fields = loaded.faults.map((fault) => ({ field: directory, fault }));
  throw new Fault("INVALID_FIELD", `The policies in ${directory} are wrong:\n  ${loaded.faults.join("\n  ")}`, {
    fields,
  });
}

/** None while the directory cannot be read, as during the swap of a mount. */
function filesOf(directory: string): readonly string[] {
  try {
    return policyFiles(directory);
  } catch {
    return [];
  }
}
