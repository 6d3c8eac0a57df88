import { accessSync, constants } from "node:fs";
import { type SettingName, settings } from "./settings.ts";

/** Settings as they were given, by variable. */
export type Given = Readonly<Record<string, string | undefined>>;
/** Notes what is wrong with one setting. */
export type Report = (field: string, fault: string) => void;

/** Notes a file that is named and cannot be read. */
export function requireReadable(name: SettingName, path: string | undefined, report: Report): void {
  if (path === undefined) return;
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    report(name, cannotBeRead(error));
  }
}

/** Without what was given: where a file's name belongs somebody may have put the secret itself. */
export function cannotBeRead(error: unknown): string {
  return `names a file that cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown fault"})`;
}

/** Who may have issued members' certificates: revocation lists need the authorities they are of. */
export function memberAuthoritiesOf(
  given: Given,
  report: Report,
): { readonly bundleFile: string; readonly listFiles: readonly string[] } | undefined {
  const [bundle, lists] = ["IMAGETRUST_MEMBER_CA_FILE", "IMAGETRUST_MEMBER_CRL_FILES"] as const;
  const listFiles = settings.shape[lists].safeParse(given[lists]).data ?? [];
  requireReadable(bundle, given[bundle], report);
  for (const file of listFiles) requireReadable(lists, file, report);
  const bundleFile = given[bundle];
  if (bundleFile !== undefined) return { bundleFile, listFiles };
  if (given[lists] !== undefined) report(bundle, `must be set, because ${lists} is`);
  return undefined;
}
