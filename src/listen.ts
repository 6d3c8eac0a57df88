import pg from "pg";

/** Keeps one connection on LISTEN and opens it anew with a pause when it breaks. */
export async function listenForever(
  url: string,
  channel: string,
  handler: (payload: string) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client({ connectionString: url, application_name: "imagetrust-listen", keepAlive: true });
    const ended = new Promise<void>((resolve) => {
      client.once("end", () => resolve());
      client.once("error", () => resolve());
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    try {
      await client.connect();
      client.on("notification", (message) => handler(message.payload ?? ""));
      await client.query(`listen ${client.escapeIdentifier(channel)}`);
      await ended;
    } catch {
      // Unreachable just now: the loop tries again, and readers poll in the meantime.
    }
    await client.end().catch(() => undefined);
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1_000).unref());
  }
}
