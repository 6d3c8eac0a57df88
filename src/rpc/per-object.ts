import { ownCopy } from "../recent.ts";

/** The function with a memory: what it gave for an object it gives again, for as long as the object lives. */
export function perObject<K extends object, V>(derive: (from: K) => V): (from: K) => V {
  const derived = new WeakMap<K, { readonly value: V }>();
  return (from) => {
    const known = derived.get(from);
    if (known !== undefined) return known.value;
    const value = derive(from);
    derived.set(from, { value });
    return value;
  };
}

/** A method that encodes each answer once, for handlers that answer with the same object more than once or look at its length. */
export function encodeOnce<Response extends object, Method extends { responseSerialize(response: Response): Buffer }>(
  method: Method & { responseSerialize(response: Response): Buffer },
): Method {
  return {
    ...method,
    responseSerialize: perObject((response: Response) => ownCopy(method.responseSerialize(response))),
  };
}
