import { z } from "zod";
import { logLevels } from "./logger.ts";

/** A host and a port to listen on. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const address = z.string().transform((text, context): Address => {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    context.addIssue({ code: "custom", message: "must be host:port, such as 127.0.0.1:8443 or [::]:8443" });
    return z.NEVER;
  }
  return { host, port: Number(port) };
});

const addressOrOff = z.union([z.literal("off").transform(() => undefined), address], {
  error: "must be host:port, such as 127.0.0.1:9464, or off",
});

const postgresUrl = z.string().refine((text) => /^postgres(?:ql)?:$/.test(URL.parse(text)?.protocol ?? ""), {
  error: "must be a URL that begins with postgres://; a % or @ in its password must be percent-encoded",
});

const path = z.string();

const paths = z
  .string()
  .transform((text) => text.split(",").map((part) => part.trim()))
  .refine((list) => list.every((part) => part !== ""), { error: "must be paths with commas between them" });

function whole(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^[0-9]{1,9}$/, { error })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error });
}

const notaryServer = z.strictObject({
  name: z.string(),
  baseUrl: z.string(),
  publicUrl: z.url({ protocol: /^https?$/, error: "must be an http(s) URL" }).optional(),
  registryHosts: z.array(z.string()),
  caFile: z.string().optional(),
  clientCertFile: z.string().optional(),
  clientKeyFile: z.string().optional(),
  concurrency: z.number().optional(),
  requestTimeoutMs: z.number().optional(),
});

/** What stands in IMAGETRUST_NOTARY_SERVERS or the file it may be put in. */
export const notaryServers = z.array(notaryServer);

const listening = "Listening";
const database = "Database";
const identity = "Transport security and authorization";
const members = "Members' certificates";
const keys = "Keys and trust";
const publishing = "Publishing to Notary";
const operating = "Operating";

/**
 * Every setting of `serve` and `migrate`, by the name of its environment variable, before settings are held against each other.
 * `docs/configuration.md` is made from it: group and description are in each setting's metadata.
 */
export const settings = z.object({
  IMAGETRUST_LISTEN: address.prefault("127.0.0.1:8443").meta({
    group: listening,
    description: "Where the gRPC API listens. Callers always need a client certificate.",
  }),
  IMAGETRUST_METRICS_LISTEN: addressOrOff.prefault("127.0.0.1:9464").meta({
    group: listening,
    description: "Where `/metrics` (Prometheus), `/livez` and `/readyz` are served over plain HTTP; `off` for nowhere.",
  }),
  IMAGETRUST_DATA_DIR: path.prefault(".data").meta({
    group: listening,
    description:
      "Holds what is made where nothing is configured: the embedded PostgreSQL, the development CA with its certificates, " +
      "the key-encryption key. Unused when all three are configured.",
  }),
  DATABASE_URL: postgresUrl.optional().meta({
    group: database,
    secret: true,
    description:
      "PostgreSQL 15 or newer, as the role that serves (`imagetrust_app`). Without it an embedded PostgreSQL runs in the data directory.",
  }),
  IMAGETRUST_DATABASE_URL_FILE: path.optional().meta({
    group: database,
    description: "A file that holds what would stand in DATABASE_URL.",
  }),
  IMAGETRUST_MIGRATION_DATABASE_URL: postgresUrl.optional().meta({
    group: database,
    secret: true,
    description: "The same database as its owner; for `imagetrust migrate` only, `serve` never needs it.",
  }),
  IMAGETRUST_MIGRATION_DATABASE_URL_FILE: path.optional().meta({
    group: database,
    description: "A file that holds what would stand in IMAGETRUST_MIGRATION_DATABASE_URL.",
  }),
  IMAGETRUST_DATABASE_CONNECTIONS: whole(2, 500).prefault("10").meta({
    group: database,
    description: "The most connections one process holds; two more are used for notifications.",
  }),
  IMAGETRUST_TLS_CERT_FILE: path.optional().meta({
    group: identity,
    description:
      "PEM: the server's certificate and the intermediates behind it. Certificate, key and client CA are given together or not " +
      "at all; without them a development CA is made in the data directory. Changed files are taken up without a restart.",
  }),
  IMAGETRUST_TLS_KEY_FILE: path.optional().meta({
    group: identity,
    description: "PEM: the server certificate's private key.",
  }),
  IMAGETRUST_TLS_CLIENT_CA_FILE: path.optional().meta({
    group: identity,
    description: "PEM: the authorities whose client certificates are accepted. Callers are named by them alone.",
  }),
  IMAGETRUST_POLICY_DIR: path.optional().meta({
    group: identity,
    description:
      "Holds `entities.json` (who is admin, owner, viewer, auditor) and, where the default set is not wanted, Cedar policies in " +
      "`*.cedar`; see authorization.md. Required with TLS files. Changed files are taken up without a restart.",
  }),
  IMAGETRUST_MEMBER_CA_FILE: path.optional().meta({
    group: members,
    description:
      "PEM: the authorities that members' certificates must descend from; see certificates.md. Without it anybody may have issued " +
      "them. Changed files are taken up without a restart; certificates that were taken stay.",
  }),
  IMAGETRUST_MEMBER_CRL_FILES: paths.optional().meta({
    group: members,
    description:
      "Revocation lists of these authorities: paths with commas between them, each PEM with one or more lists, or the DER of one. With " +
      "them, a certificate is taken only when a list that is good now says nothing against it.",
  }),
  IMAGETRUST_REQUIRE_POSSESSION_PROOF: z
    .enum(["on", "off"], { error: "must be on or off" })
    .transform((value) => value === "on")
    .prefault("off")
    .meta({
      group: members,
      description:
        "Whether new teams take only keys whose possession was proved. Teams that are there keep their rule; `imagetrust team update` " +
        "changes it.",
    }),
  IMAGETRUST_KEY_ENCRYPTION_KEY: z
    .string()
    .optional()
    .meta({
      group: keys,
      secret: true,
      description:
        "32 bytes in base64 or hex: the key under which the service's own keys are sealed in the database. Whoever loses it loses " +
        "all of them. Required, here or as a file, with a database of your own.",
    }),
  IMAGETRUST_KEY_ENCRYPTION_KEY_FILE: path.optional().meta({
    group: keys,
    description: "A file that holds the key-encryption key.",
  }),
  IMAGETRUST_DEPLOYMENT: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
      error: "must be 1 to 63 lower-case letters, digits and dashes, not beginning with a dash",
    })
    .prefault("imagetrust")
    .meta({
      group: keys,
      description: "Names this deployment. Sealed keys are bound to it: it must never change while a database lives.",
    }),
  IMAGETRUST_ROOT_LIFE_DAYS: whole(30, 36_500).prefault("3650").meta({
    group: keys,
    description: "How long a published root stays valid; it is renewed when a third is left.",
  }),
  IMAGETRUST_TARGETS_LIFE_DAYS: whole(1, 3_650)
    .prefault("180")
    .meta({
      group: keys,
      description:
        "How long published targets stay valid; renewed when a third is left. It is also how long a malicious mirror could still " +
        "show an old signer.",
    }),
  IMAGETRUST_NOTARY_SERVERS: z.string().optional().meta({
    group: publishing,
    description: "The Notary servers, as JSON; see below. This or the file is required.",
  }),
  IMAGETRUST_NOTARY_SERVERS_FILE: path.optional().meta({
    group: publishing,
    description: "A file that holds what would stand in IMAGETRUST_NOTARY_SERVERS.",
  }),
  IMAGETRUST_PUBLISHER_CONCURRENCY: whole(1, 64).prefault("8").meta({
    group: publishing,
    description:
      "How many collections are worked on at once. What a Notary server is asked at once is its own `concurrency`.",
  }),
  IMAGETRUST_PATROL_INTERVAL_MINUTES: whole(1, 10_080).prefault("180").meta({
    group: publishing,
    description: "Every collection is read back from Notary and verified completely at least this often.",
  }),
  IMAGETRUST_MAX_WAIT_MS: whole(0, 300_000).prefault("10000").meta({
    group: publishing,
    description:
      "The longest a change waits for its publication before it answers PENDING, whatever deadline the caller set.",
  }),
  IMAGETRUST_LOG_LEVEL: z
    .enum(logLevels, { error: `must be one of ${logLevels.join(", ")}` })
    .prefault("info")
    .meta({ group: operating, description: "`debug`, `info`, `warn`, `error` or `silent`." }),
  IMAGETRUST_HEALTH_WAIT_MS: whole(0, 300_000).prefault("3000").meta({
    group: operating,
    description:
      "After SIGTERM: how long the server answers NOT_SERVING and goes on, so that load balancers turn away.",
  }),
  IMAGETRUST_DRAIN_GRACE_MS: whole(0, 600_000).prefault("10000").meta({
    group: operating,
    description: "After that wait: how long running calls may take to finish before they are cut off.",
  }),
  IMAGETRUST_TRACE_SAMPLING_RATIO: z
    .string()
    .regex(/^(?:0|1|0?\.[0-9]{1,9}|1\.0+|0\.0+)$/, { error: "must be a number from 0 to 1" })
    .transform(Number)
    .prefault("0.1")
    .meta({
      group: operating,
      description: "The share of traces that is exported, also of those that a caller asks to be sampled.",
    }),
});

/** What the settings say one by one. */
export type Settings = z.output<typeof settings>;
export type SettingName = keyof typeof settings.shape;
export type NotaryServerDescription = z.output<typeof notaryServer>;
