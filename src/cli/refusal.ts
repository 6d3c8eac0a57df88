import { type ServiceError, status } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import { Fault, type FieldFault } from "../errors.ts";
import { type ExitCode, exitCode, UsageError } from "./exit-code.ts";
import { jsonOf } from "./json.ts";
import { coloured, printable, type Terminal } from "./terminal.ts";

/** A call that was not answered with OK. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: status;
  /** An ErrorReason without its prefix; the status's name where the service gave none. */
  readonly reason: string;
  /** Whether the service said so itself, and not the library on the way to it. */
  readonly fromService: boolean;
  readonly fields: readonly FieldFault[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(error: ServiceError) {
    super(error.details === "" ? error.message : error.details, { cause: error });
    const { info, faults } = detailsOf(error);
    this.code = error.code;
    this.reason = info?.reason ?? status[error.code] ?? "UNKNOWN";
    this.fromService = info !== undefined;
    this.metadata = info?.metadata ?? {};
    this.fields = faults;
  }
}

/** Reads google.rpc.ErrorInfo and BadRequest from the status details that gRPC carries in a trailer. */
function detailsOf(error: ServiceError): { info: ErrorInfo | undefined; faults: readonly FieldFault[] } {
  const [trailer] = error.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(trailer)) return { info: undefined, faults: [] };
  let info: ErrorInfo | undefined;
  const faults: FieldFault[] = [];
  try {
    for (const { typeUrl, value } of Status.decode(trailer).details) {
      if (typeUrl.endsWith("/google.rpc.ErrorInfo")) info = ErrorInfo.decode(value);
      if (typeUrl.endsWith("/google.rpc.BadRequest")) {
        for (const { field, description } of BadRequest.decode(value).fieldViolations) {
          faults.push({ field, fault: description });
        }
      }
    }
  } catch {
    return { info, faults };
  }
  return { info, faults };
}

/** Prints any error to the error stream, as JSON where JSON is wanted, and says which exit code it stands for. */
export function reportError(terminal: Terminal, error: unknown, json: boolean): ExitCode {
  const { code, reason, message, fields, metadata } = describe(error);
  if (json) {
    terminal.err(jsonOf({ error: { reason, message, fields, metadata } }));
    return code;
  }
  terminal.err(`${coloured(terminal, "red", "error")}: ${printable(reason)}: ${printable(message)}\n`);
  for (const { field, fault } of fields) terminal.err(`  ${printable(field)}: ${printable(fault)}\n`);
  for (const [name, value] of Object.entries(metadata)) {
    terminal.err(`  (${printable(name)}: ${printable(value)})\n`);
  }
  return code;
}

interface Description {
  readonly code: ExitCode;
  readonly reason: string;
  readonly message: string;
  readonly fields: readonly FieldFault[];
  readonly metadata: Readonly<Record<string, string>>;
}

function describe(error: unknown): Description {
  if (error instanceof Refusal) return { ...error, code: exitCodeOf(error), message: error.message };
  if (error instanceof Fault) return { ...error, code: exitCode.refused, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UsageError) return { code: exitCode.usage, reason: "USAGE", message, fields: [], metadata: {} };
  return { code: exitCode.refused, reason: "INTERNAL", message, fields: [], metadata: {} };
}

/** What a call that was not answered with OK means for whoever made it. */
export function exitCodeOf(refusal: Refusal): ExitCode {
  const undecided =
    refusal.code === status.UNAVAILABLE || (refusal.code === status.DEADLINE_EXCEEDED && !refusal.fromService);
  return undecided ? exitCode.unreachable : exitCode.refused;
}
