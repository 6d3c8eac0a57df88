import type { EntityJson, TypeAndId } from "@cedar-policy/cedar-wasm/nodejs";

/** What a call is about, as policies see it. Ids come from the request as they are: handlers parse them, policies only compare. */
export interface Resource {
  readonly type: "Collection" | "Team" | "Member" | "Certificate" | "Rollout" | "Audit";
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly parents: readonly TypeAndId[];
}

/** One repository: it lies in every prefix that ends at one of its slashes, and in the prefix that is itself. */
export function collection(gun: string): Resource {
  const id = bounded(gun);
  return { type: "Collection", id, attributes: { gun: id }, parents: [...prefixesOf(id), prefix(id)] };
}

/** All repositories whose name begins so: what is behind the last slash narrows the answer, not the right to it. */
export function collectionsUnder(start: string): Resource {
  const id = bounded(start);
  return { type: "Collection", id, attributes: { gun: id }, parents: prefixesOf(id) };
}

/** Empty for a list of all. */
export function team(id: string): Resource {
  return plain("Team", id);
}

/** Empty for a list of all. */
export function member(id: string): Resource {
  return plain("Member", id);
}

export function certificate(id: string): Resource {
  return plain("Certificate", id);
}

export function rollout(id: string): Resource {
  return plain("Rollout", id);
}

/** A query of the audit log, by what it is filtered by. */
export function auditOf(filter: { readonly gun: string; readonly team: string; readonly member: string }): Resource {
  const [gun, team, member] = [bounded(filter.gun), bounded(filter.team), bounded(filter.member)];
  const parents = [
    ...(gun === "" ? [] : [...prefixesOf(gun), prefix(gun)]),
    ...(team === "" ? [] : [{ type: "ImageTrust::Team", id: team }]),
    ...(member === "" ? [] : [{ type: "ImageTrust::Member", id: member }]),
  ];
  return {
    type: "Audit",
    id: [gun, team, member].filter(Boolean).join(" "),
    attributes: { gun, team, member },
    parents,
  };
}

/** The resource as a Cedar entity. */
export function entityOf(resource: Resource): EntityJson {
  return { uid: uidOf(resource), attrs: { ...resource.attributes }, parents: [...resource.parents] };
}

export function uidOf(resource: Resource): TypeAndId {
  return { type: `ImageTrust::${resource.type}`, id: resource.id };
}

/** The resource as records name it. */
export function nameOf(resource: Resource): string {
  return `${resource.type}::${JSON.stringify(resource.id)}`;
}

const longest = 255;

/** No valid id is longer. A longer one lies in no prefix and is nobody's. */
function bounded(id: string): string {
  return id.length <= longest ? id : "(too long)";
}

function plain(type: "Team" | "Member" | "Certificate" | "Rollout", id: string): Resource {
  const short = bounded(id);
  return { type, id: short, attributes: { id: short }, parents: [] };
}

function prefix(id: string): TypeAndId {
  return { type: "ImageTrust::Prefix", id };
}

function prefixesOf(gun: string): TypeAndId[] {
  return [...gun.matchAll(/\//g)].map((slash) => prefix(gun.slice(0, slash.index + 1)));
}
