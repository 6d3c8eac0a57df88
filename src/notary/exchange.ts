import type { Dispatcher } from "undici";
import type { Begun } from "./lane.ts";

export interface ExchangeRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** For connecting, asking and reading the whole answer together. */
  readonly timeoutMs: number;
  /** Of an answer with status 200; one byte more fails the exchange as TOO_LARGE. */
  readonly maxBodyBytes: number;
  /** Of any other answer; what goes beyond is not read. */
  readonly maxErrorBytes: number;
  /**
   * What an abort does once the request may have left. `cut` breaks the connection. `let-go` releases the caller only: the
   * server works on a request that nobody waits for, so the next one must not begin before it is through.
   */
  readonly whenAborted: "cut" | "let-go";
  /** Called when the connection broke after the request may have left, even if nobody waits any more. */
  readonly onReset: () => void;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export type FailureKind = "NO_CONNECTION" | "RESET" | "GARBAGE" | "TIMEOUT" | "TOO_LARGE" | "ABORTED";

/** Why there is no answer. The message is fit for callers: it holds nothing that the peer sent. */
export class ExchangeFailure extends Error {
  override readonly name = "ExchangeFailure";
  readonly kind: FailureKind;
  /** Whether any byte of the request may have left. */
  readonly sent: boolean;

  constructor(kind: FailureKind, sent: boolean, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
    this.sent = sent;
  }
}

/** Begins one HTTP request. The result rejects with an ExchangeFailure only. Redirects are answers like any other. */
export function beginExchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  signal: AbortSignal,
): Begun<ExchangeAnswer> {
  const course = new Course(request, signal);
  const { method, path, headers, body } = request;
  try {
    dispatcher.dispatch({ method, path, headers, body, headersTimeout: 0, bodyTimeout: 0 }, course);
  } catch (error) {
    course.fail(noConnection(error));
  }
  return course;
}

/** One request under way: collects the answer, and knows from which moment on bytes may have left. */
class Course implements Dispatcher.DispatchHandler, Begun<ExchangeAnswer> {
  readonly #request: ExchangeRequest;
  readonly #signal: AbortSignal;
  readonly #answer = Promise.withResolvers<ExchangeAnswer>();
  readonly #end = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #failure: ExchangeFailure | undefined;
  #status = 0;
  #length = 0;

  constructor(request: ExchangeRequest, signal: AbortSignal) {
    this.#request = request;
    this.#signal = signal;
    this.#timer = setTimeout(() => this.#timeOut(), request.timeoutMs);
    signal.addEventListener("abort", this.#giveUp, { once: true });
    if (signal.aborted) this.#giveUp();
  }

  get result(): Promise<ExchangeAnswer> {
    return this.#answer.promise;
  }

  get finished(): Promise<void> {
    return this.#end.promise;
  }

  /** undici calls this on a connected socket, directly before it writes: up to here nothing has left. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#failure === undefined) this.#controller = controller;
    else controller.abort(this.#failure);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length;
    const { maxBodyBytes, maxErrorBytes } = this.#request;
    if (this.#length <= (this.#status === 200 ? maxBodyBytes : maxErrorBytes)) {
      this.#chunks.push(chunk);
    } else if (this.#status === 200) {
      this.fail(new ExchangeFailure("TOO_LARGE", true, `its answer is longer than ${maxBodyBytes} bytes`));
    } else {
      this.#succeed();
      this.fail(new ExchangeFailure("TOO_LARGE", true, "its error answer is too long"));
    }
  }

  onResponseEnd(): void {
    this.#succeed();
    this.#close();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const failure = this.#failure ?? (this.#controller === undefined ? noConnection(error) : broken(error));
    if (failure.kind === "RESET") this.#request.onReset();
    this.#answer.reject(failure);
    this.#close();
  }

  /** Gives the request up and breaks its connection. */
  fail(failure: ExchangeFailure): void {
    this.#failure = failure;
    this.#answer.reject(failure);
    if (this.#controller === undefined) this.#close();
    else this.#controller.abort(failure);
  }

  #succeed(): void {
    this.#answer.resolve({ status: this.#status, body: Buffer.concat(this.#chunks) });
  }

  #timeOut(): void {
    const sent = this.#controller !== undefined;
    const missing = !sent ? "no connection" : this.#status === 0 ? "no answer" : "no complete answer";
    this.fail(new ExchangeFailure("TIMEOUT", sent, `${missing} within ${this.#request.timeoutMs} ms`));
  }

  readonly #giveUp = (): void => {
    const sent = this.#controller !== undefined;
    const failure = new ExchangeFailure("ABORTED", sent, "the request was given up", this.#signal.reason);
    if (sent && this.#request.whenAborted === "let-go") this.#answer.reject(failure);
    else this.fail(failure);
  };

  #close(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#giveUp);
    this.#end.resolve();
  }
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

function noConnection(error: unknown): ExchangeFailure {
  const code = codeOf(error);
  const words = connectFaults[code] ?? (code === "" ? "it could not be reached" : `it could not be reached (${code})`);
  return new ExchangeFailure("NO_CONNECTION", false, words, error);
}

const untrusted = "its TLS certificate is not trusted: check the CA file";
const connectFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed while it was being made",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name could not be looked up",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_DESTROYED: "this service is shutting down",
  UND_ERR_CLOSED: "this service is shutting down",
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_HAS_EXPIRED: "its TLS certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its TLS certificate is for another host name",
};

function broken(error: unknown): ExchangeFailure {
  const name = error instanceof Error ? error.name : "";
  return unreadable.has(name)
    ? new ExchangeFailure("GARBAGE", true, "its answer is not HTTP", error)
    : new ExchangeFailure("RESET", true, "the connection broke before the answer was complete", error);
}

const unreadable: ReadonlySet<string> = new Set([
  "HTTPParserError",
  "HeadersOverflowError",
  "ResponseContentLengthMismatchError",
]);
