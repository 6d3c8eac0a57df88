/** How long a reading holds up the next one: not for longer, so that a slow one, or a lost connection, stops nobody else. */
const patienceMs = 20;

interface Batch<K, V> {
  readonly keys: Set<K>;
  readonly answers: Promise<ReadonlyMap<K, V>>;
  readonly settle: (answers: Promise<ReadonlyMap<K, V>>) => void;
}

/**
 * Joins questions that come at the same time into one reading. A question never joins a reading that has begun, only the next:
 * what it is told was true after it was asked. Where a reading fails, all questions in it do.
 */
export function shareReading<K, V>(
  read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>,
): (key: K) => Promise<V | undefined> {
  let next: Batch<K, V> | undefined;
  let holder: object | undefined;
  const begin = (): void => {
    if (next === undefined || holder !== undefined) return;
    const { keys, settle } = next;
    next = undefined;
    const answers = read([...keys]);
    settle(answers);
    holder = answers;
    const letGo = (): void => {
      clearTimeout(patience);
      if (holder !== answers) return;
      holder = undefined;
      begin();
    };
    const patience = setTimeout(letGo, patienceMs);
    answers.then(letGo, letGo);
  };
  return async (key) => {
    if (next === undefined) {
      const { promise, resolve } = Promise.withResolvers<ReadonlyMap<K, V>>();
      next = { keys: new Set(), answers: promise, settle: resolve };
      // What arrives in the same turn of the event loop goes along.
      setImmediate(begin);
    }
    const { keys, answers } = next;
    keys.add(key);
    return (await answers).get(key);
  };
}
