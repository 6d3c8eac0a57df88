import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../../changes/page-token.ts";
import type { Database } from "../../database.ts";
import { gunKey, teamKey } from "../page-keys.ts";
import { type DelegationRule, listRuleRows, type RuleFilter } from "./rule-store.ts";

/** The rules in force, by prefix and team. */
export async function listDelegationRules(
  db: Database,
  filter: RuleFilter,
  page: PageRequest,
): Promise<Page<DelegationRule>> {
  const listing: Listing = { name: "delegation-rules", filter: { ...filter }, key: [gunKey, teamKey] };
  const [gunPrefix = "", team = ""] = readPageToken(listing, page.token) ?? [];
  const found = await listRuleRows(db, filter, { gunPrefix, team }, page.size + 1);
  return pageOf(listing, page.size, found, (rule) => [rule.gunPrefix, rule.team]);
}
