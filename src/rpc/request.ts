import { createHash } from "node:crypto";
import { Fault } from "../errors.ts";
import { holdsPrivateKey } from "../x509/private-key.ts";
import type { Asked } from "./surface.ts";

/** Decodes the bytes of a request. Nothing of them is repeated in the INVALID_FIELD that refuses them. */
export function decodeRequest<Request>(method: Asked<Request>, bytes: Buffer): Request {
  let request: Request;
  try {
    request = method.requestDeserialize(bytes);
  } catch (error) {
    throw new Fault("INVALID_FIELD", "The request is no valid message of its type.", { cause: error });
  }
  // The generated code drops a map entry of this name without a word.
  if (bytes.includes("__proto__") && !someText(request, (text) => Buffer.from(text).includes("__proto__"))) {
    throw new Fault("INVALID_FIELD", "No map of a request may have the key __proto__.");
  }
  return request;
}

/** Whether any string or bytes of a decoded message, map keys included, looks like private key material. */
export function presentsPrivateKey(message: unknown): boolean {
  return someText(message, (text) => text.length >= shortestKey && holdsPrivateKey(Buffer.from(text)));
}

/** No string this short can hold a key, and most strings of most requests are. */
const shortestKey = 24;

/** Hex SHA-256 of the request's encoding with its maps in order, so that clients that encode maps at random agree with themselves. */
export function digestOf<Request>(method: Asked<Request>, request: Request): string {
  return createHash("sha256")
    .update(method.requestSerialize(ordered(request) as Request))
    .digest("hex");
}

function someText(value: unknown, test: (text: string | Uint8Array) => boolean): boolean {
  if (typeof value === "string" || value instanceof Uint8Array) return test(value);
  if (Array.isArray(value)) return value.some((item) => someText(item, test));
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, field]) => test(name) || someText(field, test));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, field]) => [name, ordered(field)]));
}
