/** Bytes that are not the metadata or key they should be. The message says what is wrong; it never quotes the bytes. */
export class MetadataError extends Error {
  override readonly name = "MetadataError";
}
