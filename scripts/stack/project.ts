import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's own folder. */
export const projectRoot = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** The folder of the Notary programs that scripts/setup unpacked; nothing of the system's is used. */
export const notaryPrograms = join(projectRoot, ".cache/notary/usr/bin");
