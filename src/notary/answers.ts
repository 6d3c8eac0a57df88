import type { RoleName } from "../names.ts";

/** What became of an upload. Only ACCEPTED, VERSION and REFUSED say anything about the files; none of them is evidence of a slot. */
export type UploadAnswer =
  | { readonly kind: "ACCEPTED" }
  /** A version in it, or the server's own next snapshot or timestamp, is taken. */
  | { readonly kind: "VERSION" }
  /** The server will not take these bytes: `error` is Notary's name such as ErrBadTargets, or empty. */
  | { readonly kind: "REFUSED"; readonly code: string; readonly error: string; readonly detail: string }
  /**
   * The server finds no private key for the snapshot or timestamp role of the root. With a remote signer that is also what
   * it says while the signer cannot reach its own database: only another key from `readServerKey` proves a key lost.
   */
  | { readonly kind: "MISSING_SERVER_KEY"; readonly detail: string }
  /** Answered, but nothing about the files follows from it: the same bytes may be sent again. */
  | { readonly kind: "FAILED"; readonly detail: string }
  /** No answer. `sent` is false only when provably no byte of the request left. */
  | { readonly kind: "UNREACHABLE"; readonly sent: boolean; readonly detail: string };

/** What a GET of metadata said. */
export type ReadAnswer =
  | { readonly kind: "FOUND" }
  | { readonly kind: "ABSENT" }
  | { readonly kind: "FAULT"; readonly detail: string };

/** The bytes kept of an answer that is not 200; Notary's own client reads 1 KiB. */
export const maxErrorBytes = 16 * 1024;

/**
 * Classifies the answer to an upload. Never throws, whatever the body is.
 * Source: notary server/errors/errors.go and tuf/validation/errors.go; which refusals are final is Notary's behaviour as run.
 */
export function classifyUpload(status: number, body: Buffer): UploadAnswer {
  if (status === 200) return { kind: "ACCEPTED" };
  const error = parseError(body);
  if (status !== 400 || error === undefined) return { kind: "FAILED", detail: describe(status, error) };
  const detail = describe(status, error);
  switch (error.code) {
    case "VERSION":
      return { kind: "VERSION" };
    case "MALFORMED_JSON":
    case "MALFORMED_UPLOAD":
    case "INVALID_ROLE":
      return { kind: "REFUSED", code: error.code, error: "", detail };
    case "INVALID_UPDATE":
      if (isMissingServerKey(error)) return { kind: "MISSING_SERVER_KEY", detail };
      if (!finalRefusals.has(error.name)) return { kind: "FAILED", detail };
      return { kind: "REFUSED", code: error.code, error: error.name, detail };
    default:
      return { kind: "FAILED", detail };
  }
}

/** ErrValidation, ErrBadHierarchy and refusals without a name are also Notary's transient faults. */
const finalRefusals: ReadonlySet<string> = new Set(["ErrBadTargets", "ErrBadRoot", "ErrBadSnapshot"]);

/** Notary's words: with keys of its own for timestamp and snapshot, and with notary-signer behind it (signer/api/rpc_api.go). */
function isMissingServerKey({ name, text, missing }: NotaryError): boolean {
  return (
    (name === "ErrBadRoot" && text.startsWith("no timestamp keys exist on the server")) ||
    (name === "ErrBadHierarchy" && missing === "snapshot") ||
    (name === "ErrValidation" && /^rpc error: code = NotFound desc = key [0-9a-f]{64} not found$/.test(text))
  );
}

/**
 * Classifies the answer to a GET of a role's metadata. Never throws.
 * ABSENT needs Notary's own words: a 404 of a proxy or of another server says nothing about a collection.
 * For `<role>.json` of a delegation, SQL storage says absent with 500 UNKNOWN that names the role (server/storage/tuf_store.go).
 */
export function classifyRead(status: number, body: Buffer, role: RoleName, form: "current" | "pinned"): ReadAnswer {
  if (status === 200) return { kind: "FOUND" };
  const error = parseError(body);
  if (status === 404 && error?.code === "METADATA_NOT_FOUND") return { kind: "ABSENT" };
  const neverSigned = status === 500 && error?.code === "UNKNOWN" && error.role === role;
  if (neverSigned && form === "current" && role.startsWith("targets/")) return { kind: "ABSENT" };
  return { kind: "FAULT", detail: describe(status, error) };
}

/** Says what an answer was that is of no use, for operators. */
export function describeAnswer(status: number, body: Buffer): string {
  return describe(status, parseError(body));
}

/** Text of a server as it may reach logs and callers: no control or format characters, at most 300 characters. */
export function printable(text: string): string {
  const plain = text
    .slice(0, 2_000)
    .toWellFormed()
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
  return plain.length > 300 ? `${plain.slice(0, 299).toWellFormed()}…` : plain;
}

/** One error of Notary's `{"errors":[{code, message, detail}]}`, every text printable and empty where it is missing. */
interface NotaryError {
  readonly code: string;
  readonly message: string;
  /** INVALID_UPDATE: the validation error's name. */
  readonly name: string;
  /** The most telling text of the detail. */
  readonly text: string;
  readonly missing: string;
  readonly role: string;
}

function parseError(body: Buffer): NotaryError | undefined {
  if (body.length > maxErrorBytes) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  const errors = field(parsed, "errors");
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  const code = textOf(field(first, "code"));
  if (code === "") return undefined;
  const detail = field(first, "detail");
  const inner = field(detail, "Error");
  return {
    code,
    message: textOf(field(first, "message")),
    name: textOf(field(detail, "Name")),
    text: textOf(detail) || textOf(field(inner, "Msg")) || textOf(field(detail, "Msg")),
    missing: textOf(field(inner, "Missing")),
    role: textOf(field(detail, "Role")),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? printable(value) : "";
}

function describe(status: number, error: NotaryError | undefined): string {
  const hint = hintOf(status);
  if (error === undefined) return `HTTP ${status}${hint}`;
  const words = [error.code, error.name, error.text || error.message].filter((word) => word !== "").join(": ");
  return printable(`HTTP ${status}: ${words}${hint}`);
}

function hintOf(status: number): string {
  if (status === 401 || status === 403) {
    return "; the server asks for an identity that this service does not have: give it a client certificate that the server accepts, or an address behind its token check";
  }
  if (status >= 300 && status < 400) return "; redirects are not followed: configure the address it points to";
  if (status === 404) return "; no Notary answers so: check the base URL";
  return "";
}
