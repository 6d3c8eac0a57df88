import { Fault } from "./errors.ts";

/** Whether the error is PostgreSQL's unique violation, of that constraint or index if one is named. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const found = databaseErrorOf(error);
  return found?.code === sqlState.uniqueViolation && (constraint === undefined || found.constraint === constraint);
}

interface DatabaseError {
  readonly code: string;
  readonly constraint?: string;
}

function databaseErrorOf(error: unknown): DatabaseError | undefined {
  const source = error instanceof Fault ? error.cause : error;
  return source instanceof Error && typeof (source as { code?: unknown }).code === "string"
    ? (source as unknown as DatabaseError)
    : undefined;
}

export function isSerializationFailure(error: unknown): boolean {
  const code = databaseErrorOf(error)?.code;
  return code === sqlState.serializationFailure || code === sqlState.deadlockDetected;
}

export function commitFaultOf(error: unknown): Fault {
  if (isSerializationFailure(error)) return faultOf(error) as Fault;
  return new Fault(
    "OUTCOME_UNKNOWN",
    "It is not known whether the change was kept; repeat it with the same request_id.",
    {
      cause: error,
    },
  );
}

/** Errors of the database leave this file as Faults; anything that is not the database's passes unchanged. */
export function faultOf(error: unknown): unknown {
  if (error instanceof Fault) return error;
  if (isSerializationFailure(error)) {
    return new Fault("CONFLICT", "Another change won a race for the same rows; repeat the call.", { cause: error });
  }
  const code = databaseErrorOf(error)?.code ?? "";
  const name = error instanceof Error ? error.name : "";
  if (
    unreachable.test(code) ||
    name === "KnexTimeoutError" ||
    (error instanceof Error && connectionLost.test(error.message))
  ) {
    return new Fault("DATABASE_UNAVAILABLE", "The database is not available; repeat the call.", { cause: error });
  }
  return error;
}

const sqlState = { uniqueViolation: "23505", serializationFailure: "40001", deadlockDetected: "40P01" };
/** Class 08 (connection), 53 (resources), 57 (operator intervention), read-only, and the socket errors of Node. */
const unreachable = /^(?:08...|53...|57P0.|57014|25006|ECONN.*|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|EAI_AGAIN)$/;
const connectionLost =
  /Connection terminated|timeout expired|Client has encountered a connection error|Unable to acquire a connection/;
