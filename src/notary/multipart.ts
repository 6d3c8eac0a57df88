import { randomBytes } from "node:crypto";
import type { RoleName } from "../names.ts";

/** One metadata file on its way to Notary. */
export interface UploadFile {
  readonly role: RoleName;
  /** The exact bytes that the slot will hold. */
  readonly bytes: Buffer;
}

export interface MultipartBody {
  readonly contentType: string;
  readonly body: Buffer;
}

/**
 * Encodes the files as multipart/form-data, one part per role in the given order.
 * The file name is the role name as it is, slash included: Notary takes the role from it, and form libraries that keep
 * only the last path segment or encode it break every delegation. Source: notary storage/httpstore.go, RFC 7578.
 */
export function encodeMultipart(
  files: readonly UploadFile[],
  newBoundary: () => string = () => randomBytes(24).toString("hex"),
): MultipartBody {
  const boundary = unusedBoundary(files, newBoundary);
  const parts = files.flatMap((file) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="${quoted(file.role)}"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    ),
    file.bytes,
    Buffer.from("\r\n"),
  ]);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
  };
}

function unusedBoundary(files: readonly UploadFile[], newBoundary: () => string): string {
  for (;;) {
    const boundary = newBoundary();
    if (!files.some((file) => file.bytes.includes(boundary))) return boundary;
  }
}

function quoted(role: RoleName): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a control character would end or forge the header line
  if (/[\u0000-\u001f\u007f]/.test(role)) throw new TypeError("a role name must not contain control characters");
  return role.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
