import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { projectRoot } from "../stack/folder.ts";

/** A service of docker-compose.yml, in the forms that this file uses. */
export interface Service {
  readonly image?: string;
  readonly build?: string | { readonly context: string; readonly target: string };
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly network_mode?: string;
  readonly restart?: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** docker-compose.yml as it is written, with its merge keys resolved. */
export const compose = parse(readFileSync(join(projectRoot, "docker-compose.yml"), "utf8"), { merge: true }) as Compose;

export function serviceOf(name: string): Service {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

/** A mount in its short form: `source:target[:mode]`. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export function mountsOf(service: Service): readonly Mount[] {
  return (service.volumes ?? []).map((text) => {
    const [source = "", target = "", mode] = text.split(":");
    return { source, target, readOnly: mode === "ro" };
  });
}

/** The folder below `/prepared` that `prepare` fills for what a service has at `/run/prepared`. */
export function preparedFolderOf(name: string): string {
  const volume = mountsOf(serviceOf(name)).find(({ target }) => target === "/run/prepared")?.source;
  const target = mountsOf(serviceOf("prepare")).find(({ source }) => source === volume)?.target;
  if (target === undefined) throw new Error(`prepare fills nothing for ${name}`);
  return target.replace(/^\/prepared\//, "");
}
