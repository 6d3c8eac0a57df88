import { Fault } from "../errors.ts";

/**
 * What a change was made to, as it stands after the change. Undefined where there is none, as after a question about something
 * new, and where it cannot be read: the change is decided, and an error in place of its outcome would say that it is not.
 */
export async function asOfNow<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
