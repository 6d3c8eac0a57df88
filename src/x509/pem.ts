/** One armoured block: its label, and its decoded body or undefined when the body is no base64. */
export interface PemBlock {
  readonly label: string;
  readonly body: Buffer | undefined;
}

/** What a text holds: its whole blocks in order, whether one began and never ended, and what follows the last one. */
export interface PemText {
  readonly blocks: readonly PemBlock[];
  readonly unfinished: boolean;
  readonly rest: string;
}

const begin = /^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*$/;
const end = /^-----END ([A-Z0-9 ]{1,64})-----[ \t]*$/;

/** Reads textual encodings (RFC 7468); text before a block is explanatory and skipped, text after the last block is `rest`. */
export function readPem(text: string): PemText {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly lines: string[] } | undefined;
  let unfinished = false;
  let rest: string[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    const opening = begin.exec(line)?.[1];
    const closing = end.exec(line)?.[1];
    if (opening !== undefined) {
      unfinished ||= open !== undefined;
      open = { label: opening, lines: [] };
    } else if (closing !== undefined && open !== undefined) {
      unfinished ||= closing !== open.label;
      blocks.push({ label: open.label, body: decode(open.lines.join("")) });
      open = undefined;
      rest = [];
    } else if (open !== undefined) open.lines.push(line.trim());
    else rest.push(line);
  }
  return { blocks, unfinished: unfinished || open !== undefined, rest: rest.join("\n").trim() };
}

/** A CERTIFICATE block as Go's pem.EncodeToMemory writes it: lines of 64 characters, each ended by one line feed. */
export function certificatePem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function decode(base64: string): Buffer | undefined {
  if (base64 === "" || base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return undefined;
  return Buffer.from(base64, "base64");
}
