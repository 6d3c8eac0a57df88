import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  checkParseEntities,
  type DetailedError,
  type EntityJson,
  policySetTextToParts,
  policyToJson,
  validate,
} from "@cedar-policy/cedar-wasm/nodejs";
import { parseGun } from "../names.ts";

/** Policies and entities that have been validated against the schema. */
export interface PolicySet {
  /** Cedar text by policy id. */
  readonly policies: Readonly<Record<string, string>>;
  /** By `keyOf` their uid. */
  readonly entities: ReadonlyMap<string, EntityJson>;
  /** The first 12 hex digits of the SHA-256 of everything read. */
  readonly version: string;
}

export type LoadedPolicies =
  | { readonly ok: true; readonly value: PolicySet }
  | { readonly ok: false; readonly faults: readonly string[] };

const own = new URL("./policies/", import.meta.url);

/** What policies may speak about: Cedar's schema language. */
export const policySchema = readFileSync(new URL("schema.cedarschema", own), "utf8");
const defaultPolicies = readFileSync(new URL("default.cedar", own), "utf8");

/** The file of a policy directory that says who is what. */
export const entitiesFile = "entities.json";

/** The files of a policy directory that matter, in order: its policies and its entities. */
export function policyFiles(directory: string): readonly string[] {
  const names = readdirSync(directory).filter((name) => name.endsWith(".cedar") || name === entitiesFile);
  return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => join(directory, name));
}

/**
 * Reads a policy directory: policies from `*.cedar`, the default set where there is none, and entities from entities.json.
 * Names every fault at once: what does not parse, does not fit the schema, or has no `@id` of its own.
 */
export function loadPolicies(directory: string): LoadedPolicies {
  const faults: string[] = [];
  const files = readFiles(directory, faults);
  const texts = [...files].filter(([name]) => name !== entitiesFile);
  if (texts.length === 0) texts.push(["default.cedar", defaultPolicies]);
  const policies = parsePolicies(texts, faults);
  const entities = parseEntities(files.get(entitiesFile), faults);
  if (faults.length > 0) return { ok: false, faults };
  const digest = createHash("sha256").update(JSON.stringify([policySchema, texts, files.get(entitiesFile)]));
  return { ok: true, value: { policies, entities, version: digest.digest("hex").slice(0, 12) } };
}

/** Names an entity in maps. */
export function keyOf(uid: EntityJson["uid"]): string {
  const { type, id } = "__entity" in uid ? uid.__entity : uid;
  return `${type}::${JSON.stringify(id)}`;
}

function readFiles(directory: string, faults: string[]): Map<string, string> {
  const read = new Map<string, string>();
  try {
    for (const path of policyFiles(directory)) {
      read.set(path.slice(directory.length).replace(/^[/\\]+/, ""), readFileSync(path, "utf8"));
    }
    if (!read.has(entitiesFile)) faults.push(`${entitiesFile} is missing: nobody would be permitted anything`);
  } catch (error) {
    faults.push(`${directory} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown fault"})`);
  }
  return read;
}

function parsePolicies(texts: readonly (readonly [string, string])[], faults: string[]): Record<string, string> {
  const policies: Record<string, string> = {};
  for (const [file, text] of texts) {
    const parts = policySetTextToParts(text);
    if (parts.type === "failure") {
      faults.push(...parts.errors.map((error) => `${file}${lineOf(text, error)}: ${wordsOf(error)}`));
      continue;
    }
    if (parts.policy_templates.length > 0) faults.push(`${file}: policy templates are not supported`);
    for (const policy of parts.policies) {
      const parsed = policyToJson(policy);
      const id = parsed.type === "success" ? parsed.json.annotations?.["id"] : undefined;
      if (id === undefined || !/^[A-Za-z0-9._-]{1,64}$/.test(id)) {
        faults.push(
          `${file}: every policy needs an @id of letters, digits, ".", "_" or "-", for records to name it: ${policy}`,
        );
      } else if (Object.hasOwn(policies, id)) {
        faults.push(`${file}: the @id "${id}" is used twice`);
      } else {
        policies[id] = policy;
      }
    }
  }
  faults.push(...schemaFaults(policies));
  return policies;
}

function schemaFaults(policies: Record<string, string>): readonly string[] {
  const answer = validate({ schema: policySchema, policies: { staticPolicies: policies } });
  if (answer.type === "failure") return answer.errors.map(wordsOf);
  return answer.validationErrors.map(({ error }) => wordsOf(error));
}

function parseEntities(text: string | undefined, faults: string[]): ReadonlyMap<string, EntityJson> {
  const entities = new Map<string, EntityJson>();
  if (text === undefined) return entities;
  const list = parseJson(text);
  if (!Array.isArray(list)) {
    faults.push(`${entitiesFile}: must be a JSON list of entities, as Cedar has them`);
    return entities;
  }
  for (const [index, item] of list.entries()) {
    const entity = completed(item);
    const answer = checkParseEntities({ entities: [entity], schema: policySchema });
    if (answer.type === "failure") {
      faults.push(...answer.errors.map((error) => `${entitiesFile}[${index}]: ${wordsOf(error)}`));
    } else {
      faults.push(...prefixFaults(entity).map((fault) => `${entitiesFile}[${index}]: ${fault}`));
      if (entities.has(keyOf(entity.uid)))
        faults.push(`${entitiesFile}[${index}]: ${keyOf(entity.uid)} stands there twice`);
      entities.set(keyOf(entity.uid), entity);
    }
  }
  return entities;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An identity that says nothing of what it owns owns nothing; policies need not ask whether it does. */
function completed(item: unknown): EntityJson {
  const entity = { attrs: {}, parents: [], ...(item as object) } as unknown as EntityJson;
  const uid: unknown = entity.uid;
  const isIdentity = typeof uid === "object" && uid !== null && "type" in uid && uid.type === "ImageTrust::Identity";
  return isIdentity ? { ...entity, attrs: { owns: [], teams: [], members: [], ...entity.attrs } } : entity;
}

function prefixFaults(entity: EntityJson): readonly string[] {
  const owned = entity.attrs["owns"];
  if (!Array.isArray(owned)) return [];
  return owned
    .map((item) => (item as { readonly id?: string }).id ?? "")
    .filter((id) => !parseGun(id.endsWith("/") ? `${id}x` : id).ok)
    .map(
      (id) =>
        `owns ${JSON.stringify(id)}, which is neither a prefix like "dtr.example.org/dev/" nor a repository's full name`,
    );
}

function lineOf(text: string, error: DetailedError): string {
  const at = error.sourceLocations?.[0]?.start;
  return at === undefined ? "" : `:${Buffer.from(text).subarray(0, at).toString().split("\n").length}`;
}

function wordsOf(error: DetailedError): string {
  const label = error.sourceLocations?.[0]?.label;
  return [error.message, label, error.help].filter(Boolean).join("; ");
}
