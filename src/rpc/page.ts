import { type PageRequest, parsePageSize } from "../changes/page-token.ts";
import type { Read } from "./fields.ts";

/** Reads which page of a list is asked for; the list itself judges the token. */
export function readPage(read: Read, request: { readonly pageSize: number; readonly pageToken: string }): PageRequest {
  return { size: read("page_size", parsePageSize(request.pageSize)), token: request.pageToken };
}

/** gRPC clients refuse messages over 4 MiB unless told otherwise. */
const mostBytes = 3_500_000;

/** Lists a page of the size asked for, or of fewer items where the answer would be longer than clients take. */
export async function listFitting<Response>(
  method: { readonly responseSerialize: (response: Response) => Uint8Array },
  page: PageRequest,
  list: (page: PageRequest) => Promise<Response>,
): Promise<Response> {
  for (let size = page.size; ; size = Math.ceil(size / 4)) {
    const response = await list({ ...page, size });
    if (size === 1 || method.responseSerialize(response).length <= mostBytes) return response;
  }
}
