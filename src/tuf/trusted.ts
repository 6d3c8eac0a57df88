import { type Envelope, parseRoot, parseTargets } from "./envelope.ts";
import { MetadataError } from "./metadata-error.ts";
import { type ObservedWalk, type Pins, recognise } from "./observation.ts";
import type { RootContent, TargetsContent } from "./payload.ts";

/** The files of ours by which everything else is judged. Nothing is parsed before it is asked for. */
export interface Trusted {
  /** The published versions. */
  readonly rootVersion: number;
  readonly targetsVersion: number;
  /** In force: published, or of our own upload if that is already to be seen. */
  readonly root: RootContent;
  readonly targets: TargetsContent;
}

/**
 * The pins, parsed on demand. Throws MetadataError when they are no metadata: then our own database is damaged.
 * Where the walk shows a newer root or targets that is ours, its keys count: an upload of ours has landed.
 */
export function trustedBy(pins: Pins, walk: ObservedWalk | undefined): Trusted {
  const root = lazy(() => parseRoot(pins.root));
  const targets = lazy(() => parseTargets(pins.targets));
  const rootInForce = lazy(() => newer(pins, "root", root(), walk?.root, parseRoot));
  const targetsInForce = lazy(() => newer(pins, "targets", targets(), walk?.targets, parseTargets));
  return {
    get rootVersion() {
      return root().content.version;
    },
    get targetsVersion() {
      return targets().content.version;
    },
    get root() {
      return rootInForce().content;
    },
    get targets() {
      return targetsInForce().content;
    },
  };
}

function newer<T extends { readonly version: number }>(
  pins: Pins,
  role: string,
  published: Envelope<T>,
  bytes: Buffer | undefined,
  parse: (bytes: Buffer) => Envelope<T>,
): Envelope<T> {
  if (bytes === undefined || bytes.equals(published.bytes)) return published;
  const seen = readable(() => parse(bytes));
  if (seen === undefined || seen.content.version <= published.content.version) return published;
  return recognise(pins.known, role, seen.content.version, bytes) === "ours" ? seen : published;
}

/** The result, or undefined for bytes that are no metadata. */
export function readable<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
