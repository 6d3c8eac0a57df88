import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { keepText } from "../stack/kept.ts";

/** One span as it was exported; ids are hex. */
export interface ExportedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of its trace. */
  readonly parentId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A small OTLP collector over plain HTTP. */
export interface Collector {
  /** What OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be. */
  readonly url: string;
  /** The body of each export, as it came. */
  readonly bodies: readonly Buffer[];
  spans(): readonly ExportedSpan[];
  close(): void;
}

export async function startCollector(): Promise<Collector> {
  const bodies: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(Buffer.concat(chunks));
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    bodies,
    spans: () => bodies.flatMap(spansIn),
    close: () => {
      keepText("spans", Buffer.concat(bodies));
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Field numbers of opentelemetry.proto.trace.v1: ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span, KeyValue, AnyValue. */
function spansIn(body: Buffer): readonly ExportedSpan[] {
  return messages(body, 1)
    .flatMap((resource) => messages(resource, 2))
    .flatMap((scope) => messages(scope, 2))
    .map((span) => ({
      traceId: hex(messages(span, 1)[0]),
      spanId: hex(messages(span, 2)[0]),
      parentId: hex(messages(span, 4)[0]),
      name: text(messages(span, 5)[0]),
      attributes: Object.fromEntries(
        messages(span, 9).map((pair) => [text(messages(pair, 1)[0]), text(messages(messages(pair, 2)[0], 1)[0])]),
      ),
    }));
}

/** The length-delimited fields of this number. */
function messages(message: Uint8Array | undefined, number: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new BinaryReader(message ?? new Uint8Array());
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === number && type === 2) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("hex");
}

function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}
