import { writeFileSync } from "node:fs";
import { type SettingName, settings } from "../src/settings.ts";

/** docs/configuration.md, made from the settings' schema. */
export function renderConfigurationPage(): string {
  const names = Object.keys(settings.shape) as SettingName[];
  const groups = Map.groupBy(names, (name) => String(settings.shape[name].meta()?.["group"]));
  const sections = [...groups].map(([group, members]) =>
    [`## ${group}`, "", "| variable | default | meaning |", "|---|---|---|", ...members.map(rowOf)].join("\n"),
  );
  return `${[head, ...sections, tail].join("\n\n")}\n`;
}

function rowOf(name: SettingName): string {
  const setting = settings.shape[name];
  const standard = "defaultValue" in setting.def ? `\`${String(setting.def.defaultValue)}\`` : "";
  const secret = setting.meta()?.["secret"] === true ? " A secret." : "";
  return `| \`${name}\` | ${standard} | ${setting.description}${secret} |`;
}

const head = `# Configuration

<!-- Made by scripts/docs from src/settings.ts: change it there. -->

\`imagetrust serve\` is configured by environment variables. An empty variable counts as not set. At start every setting is
checked and all faults are named at once; \`imagetrust serve --check\` does only that. Secrets come from files, or from variables
of their own that hold nothing else. A variable that begins with \`IMAGETRUST_\` and is none of these is named in a warning.

With nothing configured but a Notary server, the service makes what is missing in its data directory: an embedded PostgreSQL, a
development CA with client certificates, and a key-encryption key. That is for trying it out.`;

const tail = `## Telemetry

The standard variables of OpenTelemetry apply. Traces are exported over OTLP/HTTP (protobuf) when \`OTEL_EXPORTER_OTLP_ENDPOINT\` or
\`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT\` is set, unless \`OTEL_TRACES_EXPORTER=none\` or \`OTEL_SDK_DISABLED=true\`;
\`OTEL_SERVICE_NAME\`, \`OTEL_RESOURCE_ATTRIBUTES\` and \`OTEL_EXPORTER_OTLP_HEADERS\` are honoured. Callers' \`traceparent\` is taken up
and passed on to Notary; \`tracestate\` is not.

## Notary servers

A JSON list. A collection is bound to the server that serves its registry host when its trust is made, by name: a name must stay
as long as such collections live.

| field | default | meaning |
|---|---|---|
| \`name\` | | 1 to 64 lower-case letters, digits, \`.\`, \`_\`, \`-\` |
| \`baseUrl\` | | \`https://\` URL; plain \`http://\` on a loopback address only |
| \`publicUrl\` | \`baseUrl\` | the URL that members and docker clients use |
| \`registryHosts\` | | the registry hosts it serves, with their port: \`dtr.example.org\`, \`*.example.org\` for all below, \`*\` for all |
| \`caFile\` | the system's | PEM: the authorities that its certificate must come from |
| \`clientCertFile\`, \`clientKeyFile\` | | PEM: the certificate and key to show to it |
| \`concurrency\` | 1 | uploads and reads of current metadata at once; notary-server 0.7 loses uploads above 1 |
| \`requestTimeoutMs\` | 30000 | for one request |

\`\`\`json
[
  {
    "name": "main",
    "baseUrl": "https://notary.example.org",
    "registryHosts": ["dtr.example.org"],
    "caFile": "/etc/imagetrust/notary-ca.pem"
  }
]
\`\`\``;

if (import.meta.main) writeFileSync(new URL("../docs/configuration.md", import.meta.url), renderConfigurationPage());
