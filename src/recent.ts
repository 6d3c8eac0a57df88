/** A map of bounded weight that forgets the entry that was used longest ago. */
export interface Recent<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
}

/** Keeps entries of at most `limit` weight together; each weighs 1 unless told otherwise. One that is heavier alone is not kept. */
export function keepRecent<K, V>(limit: number, weigh: (value: V) => number = () => 1): Recent<K, V> {
  const entries = new Map<K, V>();
  let weight = 0;
  const drop = (key: K): void => {
    const value = entries.get(key);
    if (value !== undefined && entries.delete(key)) weight -= weigh(value);
  };
  return {
    get: (key) => {
      const value = entries.get(key);
      // A Map keeps the order of insertion: the first entry is the one not used for longest.
      if (value !== undefined && entries.delete(key)) entries.set(key, value);
      return value;
    },
    set: (key, value) => {
      drop(key);
      const more = weigh(value);
      if (more > limit) return;
      entries.set(key, value);
      weight += more;
      for (const oldest of entries.keys()) {
        if (weight <= limit) return;
        drop(oldest);
      }
    },
  };
}

/**
 * A copy that shares its memory with nothing. Node cuts small Buffers from blocks of 64 KiB, and one that is kept for long keeps its
 * whole block: what stays in a cache must be such a copy.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
