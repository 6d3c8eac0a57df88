import { createPrivateKey, KeyObject } from "node:crypto";

/** What must be found nowhere, in every form in which it could stand somewhere. */
export interface Secret {
  readonly name: string;
  readonly forms: readonly string[];
}

/** A text that is searched: binary data as latin1. */
export interface Haystack {
  readonly name: string;
  readonly text: string;
}

/** A secret of bytes or text: as it is, in hex and in base64, and each of these once more within hex or base64. */
export function secretOf(name: string, value: Buffer | string): Secret {
  const bytes = Buffer.from(value);
  if (bytes.length < 16) throw new Error(`${name} is too short to be told from chance`);
  const plain = [bytes.toString("latin1"), ...encodingsOf(bytes)];
  return { name, forms: [...plain, ...plain.flatMap((form) => encodingsOf(Buffer.from(form, "latin1")))] };
}

/** A private key: its scalar, and every line of its PEM forms that holds some of it; the others are its public key's. */
export function privateKeySecretOf(name: string, key: KeyObject | string | Buffer): Secret {
  const privateKey = key instanceof KeyObject ? key : createPrivateKey(key);
  const scalar = Buffer.from(String(privateKey.export({ format: "jwk" }).d), "base64url");
  const lines = (["pkcs8", "sec1"] as const).flatMap((type) => {
    const pem = String(privateKey.export({ type, format: "pem" }));
    const from = privateKey.export({ type, format: "der" }).indexOf(scalar);
    const holdsSome = (line: number) => line * lineBytes < from + scalar.length && (line + 1) * lineBytes > from;
    return pem
      .split("\n")
      .slice(1)
      .filter((_, line) => holdsSome(line));
  });
  return {
    name,
    forms: [secretOf(name, scalar), ...lines.map((line) => secretOf(name, line))].flatMap(({ forms }) => forms),
  };
}

/** How many bytes a line of PEM holds. */
const lineBytes = 48;

/** `<secret> in <haystack>` for each secret that stands in it. */
export function search(secrets: readonly Secret[], { name: where, text }: Haystack): readonly string[] {
  return secrets
    .filter(({ forms }) => forms.some((form) => text.includes(form)))
    .map(({ name }) => `${name} in ${where}`);
}

/** Hex in both cases, and base64 in both alphabets as it stands at each of the three places within a longer text. */
function encodingsOf(bytes: Buffer): readonly string[] {
  const hex = bytes.toString("hex");
  const base64 = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    // What depends on the bytes before and behind is left out.
    const from = Math.ceil((offset * 8) / 6);
    return text.slice(from, Math.floor(((offset + bytes.length) * 8) / 6));
  });
  return [hex, hex.toUpperCase(), ...base64, ...base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"))];
}
