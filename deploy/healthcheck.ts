import { request } from "node:http";

/** Exits 0 if the service in this container answers that it is ready, else 1 with the reason: the image's health check. */
const listen = process.env["IMAGETRUST_METRICS_LISTEN"] || "127.0.0.1:9464";
const port = /:([0-9]+)$/.exec(listen)?.[1];

if (port === undefined) end(1, `IMAGETRUST_METRICS_LISTEN is ${listen}: there is no listener to ask`);

const asked = request({ host: hostOf(listen), port, path: "/readyz", timeout: 4_000, agent: false }, (answer) => {
  answer.resume();
  end(answer.statusCode === 200 ? 0 : 1, `/readyz answers ${answer.statusCode}`);
});
asked.once("timeout", () => end(1, "/readyz does not answer"));
asked.once("error", (error: NodeJS.ErrnoException) => end(1, `/readyz cannot be asked (${error.code ?? "unknown"})`));
asked.end();

/** What listens everywhere is asked on loopback. */
function hostOf(address: string): string {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function end(code: number, message: string): never {
  process.stdout.write(`${message}\n`);
  process.exit(code);
}
