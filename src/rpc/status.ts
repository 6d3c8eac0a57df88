import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Any } from "../../gen/google/protobuf/any.ts";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import type { Fault, FieldFault } from "../errors.ts";

/** google.rpc.ErrorInfo.domain of every error of this service. */
export const errorDomain = "imagetrust";

/** Clients built on gRPC's C core refuse trailers of more than 8 KiB; what is longer is cut to stay below. */
const mostMessageBytes = 1_200;
const mostDetailBytes = 4_500;

/**
 * A fault as it travels: status code and message, and in `grpc-status-details-bin` a google.rpc.Status with ErrorInfo and, for
 * field faults, BadRequest. When not all field faults fit, ErrorInfo's metadata says in `omitted_violations` how many do not.
 */
export function statusOf(fault: Fault): StatusObject {
  const code = status[fault.kind];
  const message = shorten(fault.message, mostMessageBytes);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", detailsOf(code, message, fault));
  return { code, details: message, metadata };
}

/** By its length in percent-encoding, which a message is sent in and which throws on half characters. */
function shorten(text: string, most: number): string {
  let whole = text.toWellFormed();
  if (encodeURI(whole).length <= most) return whole;
  while (encodeURI(whole).length > most - encodeURI("…").length) {
    whole = whole.slice(0, Math.floor(whole.length * 0.9)).replace(/[\ud800-\udbff]$/, "");
  }
  return `${whole}…`;
}

function detailsOf(code: number, message: string, fault: Fault): Buffer {
  const fields = fault.fields.map(({ field, fault }) => ({ field: shorten(field, 300), fault: shorten(fault, 600) }));
  for (let kept = fields.length; ; kept = Math.floor(kept * 0.9)) {
    const omitted = fields.length - kept;
    const metadata = omitted === 0 ? fault.metadata : { ...fault.metadata, omitted_violations: String(omitted) };
    const bytes = encodeStatus(code, message, fault.reason, metadata, fields.slice(0, kept));
    if (bytes.length <= mostDetailBytes) return bytes;
    if (kept === 0) return encodeStatus(code, message, fault.reason, {}, []);
  }
}

function encodeStatus(
  code: number,
  message: string,
  reason: string,
  metadata: Readonly<Record<string, string>>,
  fields: readonly FieldFault[],
): Buffer {
  const info = ErrorInfo.encode({ reason, domain: errorDomain, metadata: { ...metadata } });
  const fieldViolations = fields.map(({ field, fault }) => ({
    field,
    description: fault,
    reason: "",
    localizedMessage: undefined,
  }));
  const details: Any[] = [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from(info.finish()) }];
  if (fields.length > 0) {
    const value = Buffer.from(BadRequest.encode({ fieldViolations }).finish());
    details.push({ typeUrl: "type.googleapis.com/google.rpc.BadRequest", value });
  }
  return Buffer.from(Status.encode({ code, message, details }).finish());
}
