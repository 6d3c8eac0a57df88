/** A map that holds a bounded number of entries and forgets the one that was used longest ago. */
export interface Recent<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
}

export function keepRecent<K, V>(limit: number): Recent<K, V> {
  const entries = new Map<K, V>();
  const set = (key: K, value: V): void => {
    // A Map keeps the order of insertion: the first entry is the one not used for longest.
    entries.delete(key);
    entries.set(key, value);
    const [oldest] = entries.keys();
    if (entries.size > limit && oldest !== undefined) entries.delete(oldest);
  };
  return {
    get: (key) => {
      const value = entries.get(key);
      if (value !== undefined) set(key, value);
      return value;
    },
    set,
  };
}
