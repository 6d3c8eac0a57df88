import { ChangeOptions as WireOptions } from "../../gen/imagetrust/v1/change.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Parsed } from "../names.ts";
import { parseLine, type Read, right, wrong } from "./fields.ts";

/** Reads the options of a mutation; without any, the change is made and waited for. */
export function readOptions(read: Read, options: WireOptions = WireOptions.fromPartial({})): ChangeOptions {
  return {
    requestId: read("options.request_id", parseRequestId(options.requestId)),
    validateOnly: options.validateOnly,
    reason: read("options.reason", parseLine(options.reason, 1_000)),
    etag: options.etag,
    noWait: options.noWait,
    acceptOrphaned: options.acceptOrphaned,
    acceptRevived: options.acceptRevived,
    acceptWithoutSigner: options.acceptWithoutSigner,
    planEtag: options.planEtag,
  };
}

/** Records and lookups show a request_id as it is, so nothing invisible may be in it. */
function parseRequestId(text: string): Parsed<string> {
  if (text.length > 128) return wrong("must be at most 128 characters");
  if (!/^[!-~]*$/.test(text)) return wrong("must be printable ASCII without spaces, such as a UUID");
  return right(text);
}
