import { openDatabase } from "../../src/database.ts";
import type { CanonicalKeyId } from "../../src/names.ts";
import { parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { unsealKey } from "../../src/signing/seal.ts";
import { sealedKeyById } from "../../src/signing/sealed-key-store.ts";

/** The service's own private keys as only it can open them, no more than `most`; `url` is the owner's. */
export async function sealedKeysOf(url: string, kek: string, provider = "imagetrust", most = 1_000) {
  const parsed = parseKeyEncryptionKey(kek);
  if (!parsed.ok) throw new Error(parsed.fault);
  const owner = openDatabase({ url, connections: 2 });
  try {
    const rows = await owner.rows<{ id: CanonicalKeyId }>(
      "select key_id as id from sealed_keys order by key_id limit :most",
      { most },
    );
    const keys = await Promise.all(rows.map(({ id }) => sealedKeyById(owner, id)));
    return keys.map((key) => {
      if (key === undefined) throw new Error("a sealed key is gone");
      return { name: `the ${key.slot.role} key`, key: unsealKey(key, parsed.value, provider) };
    });
  } finally {
    await owner.close();
  }
}
