import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { notaryPrograms, projectRoot } from "../stack/project.ts";
import type { LocalService } from "../stack/service.ts";
import { shellWord } from "./narrator.ts";

/** Folders of the commands that people type: imagetrust, the notary client, and the project's own node and buf. */
export const programFolders = [join(projectRoot, "bin"), notaryPrograms, join(projectRoot, "node_modules/.bin")];

/** A file for `source` that puts the commands in the path and tells imagetrust's where the service is and who calls. */
export interface EnvironmentFile {
  readonly path: string;
  /** What the file exports. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Writes the file for a running service into a folder. */
export async function writeEnvironmentFile(folder: string, service: LocalService): Promise<EnvironmentFile> {
  const { address, caFile, clients } = service;
  const client = {
    IMAGETRUST_ADDRESS: address,
    IMAGETRUST_CA: caFile,
    IMAGETRUST_CERT: clients.admin.certFile,
    IMAGETRUST_KEY: clients.admin.keyFile,
  };
  const lines = [
    `export PATH=${programFolders.map(shellWord).join(":")}:"$PATH"`,
    ...Object.entries(client).map(([name, value]) => `export ${name}=${shellWord(value)}`),
  ];
  const path = join(folder, "env.sh");
  await writeFile(path, `${lines.join("\n")}\n`);
  return {
    path,
    variables: { ...client, PATH: [...programFolders, process.env["PATH"] ?? "/usr/bin:/bin"].join(":") },
  };
}
