import {
  type GetSignedTagRequest,
  type ListSignedTagsRequest,
  TagState,
  type WatchTrustRequest,
} from "../../gen/imagetrust/v1/signature.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { type Gun, type Parsed, parseGun, parseTagName, type TagName } from "../names.ts";
import type { SignedTagsFilter } from "../trust/signed/signed-tags.ts";
import { parseEnum, parseFilter, readEach, readFields, right, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

export interface ListSignedTags {
  readonly gun: Gun;
  readonly filter: SignedTagsFilter;
  readonly page: PageRequest;
}

export function parseListSignedTags(request: ListSignedTagsRequest): ListSignedTags {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    filter: {
      prefix: read("tag_prefix", parseFilter(request.tagPrefix, parseTagName, "" as const)),
      states: readEach(read, "states", request.states, 100, (state, path) => read(path, parseEnum(TagState, state))),
    },
    page: readPage(read, request),
  }));
}

export function parseGetSignedTag(request: GetSignedTagRequest): { readonly gun: Gun; readonly tag: TagName } {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    tag: read("tag", parseTagName(request.tag)),
  }));
}

export interface WatchTrust {
  readonly gun: Gun | "";
  /** The index to begin at; undefined: the end of the log. */
  readonly from: bigint | undefined;
}

export function parseWatchTrust(request: WatchTrustRequest): WatchTrust {
  return readFields((read) => ({
    gun: read("gun", parseFilter(request.gun, parseGun, "" as const)),
    from: read("cursor", parseCursor(request.cursor)),
  }));
}

function parseCursor(text: string): Parsed<bigint | undefined> {
  if (text === "") return right(undefined);
  return /^[0-9]{1,18}$/.test(text) ? right(BigInt(text)) : wrong("must be a cursor of this stream, 0, or empty");
}
