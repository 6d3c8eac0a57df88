import type { Transaction } from "../../database.ts";
import type { Collection } from "../collection-store.ts";
import { type PublicationEvent, publicationRecord, recordedUpload } from "./publication-record.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";
import { closeUpload, type Upload, type UploadState, uploadDelegations, uploadParts } from "./upload-store.ts";

/** How an upload ends that did not land. */
export type Unlanded = "LOST" | "REJECTED" | "CANCELLED";

const endings: Readonly<Record<Unlanded, { readonly from: readonly UploadState[]; readonly event: PublicationEvent }>> =
  {
    LOST: { from: ["SENT", "REJECTED"], event: "lost" },
    REJECTED: { from: ["SENT"], event: "rejected" },
    CANCELLED: { from: ["PREPARED", "READY"], event: "cancelled" },
  };

/** Ends an upload without a landing, with its record; false when it was ended before. The collection's row is locked. */
export async function endUpload(
  tx: Transaction,
  room: Pick<PublisherRoom, "append" | "now">,
  { gun }: Collection,
  upload: Upload,
  to: Unlanded,
  why: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { from, event } = endings[to];
  const now = room.now();
  if (!(await closeUpload(tx, upload.id, to, from, now))) return false;
  const [parts, delegations] = await Promise.all([uploadParts(tx, upload.id), uploadDelegations(tx, upload.id)]);
  const signed = parts.some((part) => part.envelopeSha256 !== null);
  const detail = to === "CANCELLED" ? `${signed ? "signed" : "never signed"}, never sent: ${why}` : why;
  const record = publicationRecord(gun, event, recordedUpload(upload, parts, delegations), detail);
  await room.append(tx, publisherCall("close", signal), record, now);
  return true;
}
