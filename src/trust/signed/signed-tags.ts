import {
  type Listing,
  type Page,
  type PageRequest,
  pageOf,
  pageToken,
  readPageToken,
} from "../../changes/page-token.ts";
import type { KeyRef } from "../../changes/plan.ts";
import type { Database, Queryable, Transaction } from "../../database.ts";
import { Fault } from "../../errors.ts";
import type { CanonicalKeyId, Gun, MemberId, RoleName, TagName, TeamId, TufKeyId } from "../../names.ts";
import { type Collection, findCollection } from "../collection-store.ts";
import { digestText } from "../follower/signature-record.ts";
import { type KeyOwner, ownersOf, teamsOf } from "../follower/signature-store.ts";
import { teamsBehind } from "../follower/who-is-behind.ts";
import { tagKey } from "../page-keys.ts";
import { noSuchTrust } from "../trust-view.ts";
import { createRoleVerdicts, type RoleVerdicts } from "./role-verdicts.ts";
import { type RoleFileRow, roleFiles, type SignatureRow, signatureRows, type TagFilter } from "./signed-tags-store.ts";
import {
  type SignatureState,
  standingOfTag,
  stateOfSignature,
  statesOfTag,
  type TagStanding,
  type TagState,
} from "./tag-view.ts";

/** What one role says of a tag; see imagetrust.v1.TagSignature. */
export interface TagSignature {
  readonly role: RoleName;
  readonly state: SignatureState;
  readonly digest: string;
  readonly length: number;
  readonly version: number;
  readonly signedBy: readonly KeyRef[];
  readonly introducedBy: readonly KeyRef[];
  readonly publishedAt: Date;
}

/** A signed tag; see imagetrust.v1.SignedTag. */
export interface SignedTag extends TagStanding {
  readonly gun: Gun;
  readonly tag: TagName;
  readonly signatures: readonly TagSignature[];
  readonly members: readonly MemberId[];
  readonly teams: readonly TeamId[];
  readonly firstPublishedAt: Date;
  readonly lastPublishedAt: Date;
}

export interface SignedTagsFilter {
  readonly prefix: string;
  /** Only tags in any of these; empty: any. A page may then be short though others follow. */
  readonly states: readonly TagState[];
}

/** States are judged tag by tag, so that a filter by them passes over tags: this many at once, and for one page. */
const judgedAtOnce = 500;
const mostJudged = 5_000;

/** What is signed, as of the newest publication that was read back and the newest files that were followed. */
export interface SignedTags {
  list(gun: Gun, filter: SignedTagsFilter, page: PageRequest): Promise<Page<SignedTag>>;
  /** Throws NOT_FOUND. */
  get(gun: Gun, tag: TagName): Promise<SignedTag>;
}

export function createSignedTags(database: Database, now: () => Date): SignedTags {
  const verdicts = createRoleVerdicts();
  /** All that an answer holds is of one moment. */
  const atOnce = <T>(read: (tx: Transaction) => Promise<T>): Promise<T> =>
    database.transaction(read, { isolation: "repeatable read", readOnly: true });
  return {
    list: (gun, { prefix, states }, page) => {
      const listing: Listing = { name: "signed-tags", filter: { gun, prefix, states }, key: [tagKey] };
      const [begin = ""] = readPageToken(listing, page.token) ?? [];
      const chunk = states.length === 0 ? page.size + 1 : Math.max(page.size + 1, judgedAtOnce);
      return atOnce(async (tx) => {
        const found: SignedTag[] = [];
        let after = begin;
        for (let judged = 0; ; judged += chunk) {
          if (judged >= mostJudged) return { items: found, nextToken: pageToken(listing, [after]) };
          const tags = await readTags(tx, verdicts, gun, { after, prefix }, chunk, now());
          found.push(...tags.filter((tag) => isAny(states, tag)));
          after = tags.at(-1)?.tag ?? after;
          if (tags.length < chunk || found.length > page.size) {
            return pageOf(listing, page.size, found, ({ tag }) => [tag]);
          }
        }
      });
    },
    get: async (gun, tag) => {
      const [found] = await atOnce((tx) => readTags(tx, verdicts, gun, { after: "", prefix: "", tag }, 1, now()));
      if (found !== undefined) return found;
      throw new Fault("NOT_FOUND", `No delegation file of ${gun} holds this tag.`, { metadata: { gun } });
    },
  };
}

function isAny(states: readonly TagState[], tag: SignedTag): boolean {
  return states.length === 0 || statesOfTag(tag).some((state) => states.includes(state));
}

async function readTags(
  tx: Transaction,
  verdicts: RoleVerdicts,
  gun: Gun,
  filter: TagFilter,
  limit: number,
  now: Date,
): Promise<readonly SignedTag[]> {
  const collection = await findCollection(tx, gun);
  if (collection === undefined) throw noSuchTrust(gun);
  const rows = await signatureRows(tx, collection, filter, limit);
  if (rows.length === 0) return [];
  const files = await roleFiles(tx, collection, [...new Set(rows.map(({ role }) => role))]);
  const judged = await verdicts.of(tx, collection, [...files.values()]);
  const people = await whoIsBehind(tx, collection, rows, files);
  const signatures = rows.flatMap((row) => {
    const file = files.get(row.role);
    const verdict = judged.get(row.role);
    if (file === undefined || verdict === undefined) return [];
    return [signatureOf(row, file, stateOfSignature(row.tag, verdict, now), people)];
  });
  return [...Map.groupBy(signatures, ({ row }) => row.tag)].map(([tag, of]) => tagOf(gun, tag, of, people));
}

/** Whose the keys are, and in which teams their holders may sign the collection. */
interface People {
  readonly owners: ReadonlyMap<string, KeyOwner>;
  readonly teams: Awaited<ReturnType<typeof teamsOf>>;
}

async function whoIsBehind(
  tx: Queryable,
  collection: Collection,
  rows: readonly SignatureRow[],
  files: ReadonlyMap<RoleName, RoleFileRow>,
): Promise<People> {
  const keys = [...rows.flatMap((row) => row.introducedBy), ...[...files.values()].flatMap((file) => file.signedBy)];
  const owners = await ownersOf(tx, [...new Set(keys)]);
  const members = new Set([...owners.values()].map(({ member }) => member));
  return { owners, teams: await teamsOf(tx, collection.id, [...members]) };
}

interface ReadSignature {
  readonly row: SignatureRow;
  readonly signature: TagSignature;
}

function signatureOf(row: SignatureRow, file: RoleFileRow, state: SignatureState, { owners }: People): ReadSignature {
  const { role, digest, length, publishedAt, introducedBy } = row;
  const signature = {
    role,
    state,
    digest: digestText(digest),
    length,
    version: file.version,
    signedBy: file.signedBy.map((id) => keyRefOf(id, owners.get(id))),
    introducedBy: introducedBy.map((id) => keyRefOf(id, owners.get(id))),
    publishedAt,
  };
  return { row, signature };
}

function tagOf(gun: Gun, tag: TagName, of: readonly ReadSignature[], people: People): SignedTag {
  const signatures = of.map(({ signature }) => signature);
  const trusted = signatures.filter(({ state }) => state === "TRUSTED");
  const counting = trusted.length > 0 ? trusted : signatures;
  const members = new Set<MemberId>();
  const teams = new Set<TeamId>();
  for (const { role, signedBy, introducedBy } of counting) {
    const behind = [...signedBy, ...introducedBy].flatMap(({ tufKeyId }) => people.owners.get(tufKeyId)?.member ?? []);
    for (const member of behind) members.add(member);
    const theirs = new Map([...people.teams].filter(([member]) => behind.includes(member)));
    for (const team of teamsBehind(role, theirs)) teams.add(team);
  }
  const times = of.map(({ row }) => row.publishedAt.getTime());
  return {
    gun,
    tag,
    ...standingOfTag(signatures),
    signatures,
    members: [...members].sort(),
    teams: [...teams].sort(),
    firstPublishedAt: of[0]?.row.firstPublishedAt ?? new Date(Math.min(...times)),
    lastPublishedAt: new Date(Math.max(...times)),
  };
}

function keyRefOf(tufKeyId: TufKeyId, owner: KeyOwner | undefined): KeyRef {
  return {
    tufKeyId,
    canonicalKeyId: owner?.canonicalKeyId ?? ("" as CanonicalKeyId),
    algorithm: owner?.keyType ?? "",
    backend: "",
    member: owner?.member ?? "",
    certificate: owner?.certificate ?? "",
  };
}
