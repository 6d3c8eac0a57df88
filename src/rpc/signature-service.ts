import { SignatureServiceService } from "../../gen/imagetrust/v1/signature.ts";
import type { SignedTags } from "../trust/signed/signed-tags.ts";
import { type Watching, watchTrust } from "../trust/signed/watch-trust.ts";
import { streamSignal } from "./call-time.ts";
import type { Edge } from "./edge.ts";
import { implement } from "./implement.ts";
import { listFitting } from "./page.ts";
import { encodeOnce } from "./per-object.ts";
import type { ServedService } from "./served-service.ts";
import { parseGetSignedTag, parseListSignedTags, parseWatchTrust } from "./signature-requests.ts";
import { signedTagToWire, watchedToWire } from "./signature-wire.ts";

export interface SignatureServiceParts {
  readonly tags: SignedTags;
  readonly watching: Watching;
}

/** A stream ends by itself so long before its call would be cut off. */
const farewellMs = 1_000;

/** Serves imagetrust.v1.SignatureService. */
export function signatureService(edge: Edge, { tags, watching }: SignatureServiceParts): ServedService {
  const service = {
    ...SignatureServiceService,
    listSignedTags: encodeOnce(SignatureServiceService.listSignedTags),
  };
  return implement(edge, service, {
    listSignedTags: (request) => {
      const { gun, filter, page } = parseListSignedTags(request);
      return listFitting(service.listSignedTags, page, async (fitting) => {
        const { items, nextToken } = await tags.list(gun, filter, fitting);
        return { tags: items.map(signedTagToWire), nextPageToken: nextToken };
      });
    },
    getSignedTag: async (request) => {
      const { gun, tag } = parseGetSignedTag(request);
      return { tag: signedTagToWire(await tags.get(gun, tag)) };
    },
    watchTrust: async function* (request, call) {
      const watch = parseWatchTrust(request);
      const signal = streamSignal(edge, call);
      for await (const watched of watchTrust(watching, { ...watch, until: call.deadline - farewellMs, signal })) {
        yield watchedToWire(watched);
      }
    },
  });
}
