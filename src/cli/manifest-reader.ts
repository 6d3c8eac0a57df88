import { type Parsed, parseGun, parseMemberId, parseTeamId } from "../names.ts";
import type {
  Manifest,
  ManifestCertificate,
  ManifestDelegation,
  ManifestMember,
  ManifestRepository,
  ManifestTeam,
  MemberKindName,
} from "./manifest.ts";
import { pathsOf } from "./manifest.ts";
import { type FileFault, readYaml, type Value } from "./yaml-reader.ts";

/** A certificate of the file, as read: its text, or why it cannot be. */
export type CertificateText =
  | { readonly ok: true; readonly certificate: Omit<ManifestCertificate, "line"> }
  | { readonly ok: false; readonly fault: string };

/** Reads the certificates that a file holds or names. Throws for private keys. */
export interface CertificateReader {
  fromText(pem: string): CertificateText;
  fromFile(path: string): CertificateText;
}

/** Reads a file of `imagetrust apply`. Notes everything that can be found wrong without the service; what is wrong is left out. */
export function readManifest(text: string, certificates: CertificateReader, faults: FileFault[]): Manifest {
  const root = readYaml(text, faults);
  const { version, teams, members, repositories } =
    root?.fields(["version", "teams", "members", "repositories"] as const) ?? {};
  if (root !== undefined && version?.text() !== "1") (version ?? root).wrong("`version: 1` must stand in the file");
  const manifest = {
    teams: each(teams, readTeam, ({ id }) => id),
    members: each(
      members,
      (value) => readMember(value, certificates),
      ({ id }) => id,
    ),
    repositories: each(repositories, readRepository, ({ gun }) => gun),
  };
  requireOneOwner(manifest.members, faults);
  return manifest;
}

/** The values of a list that could be read, each of another name. */
function each<T>(list: Value | undefined, read: (value: Value) => T | undefined, nameOf: (item: T) => string): T[] {
  const seen = new Map<string, number>();
  return (list?.list() ?? []).flatMap((value) => {
    const item = read(value);
    if (item === undefined) return [];
    const name = nameOf(item);
    const earlier = seen.get(name);
    if (earlier !== undefined) {
      value.wrong(`${name} stands in line ${earlier} already`);
      return [];
    }
    seen.set(name, value.line);
    return [item];
  });
}

/** A required name; undefined, and noted, where it is missing or wrong. */
function name<T>(
  of: Value,
  value: Value | undefined,
  field: string,
  parse: (text: string) => Parsed<T>,
): T | undefined {
  if (value === undefined) {
    of.wrong(`\`${field}\` is missing`);
    return undefined;
  }
  const parsed = parse(value.text());
  if (parsed.ok) return parsed.value;
  value.wrong(`\`${field}\` ${parsed.fault}`);
  return undefined;
}

function readTeam(value: Value): ManifestTeam | undefined {
  const fields = value.fields(["id", "display_name", "labels", "members"] as const);
  const labels = Object.fromEntries((fields.labels?.entries() ?? []).map(([label, text]) => [label, text.text()]));
  const members = each(
    fields.members,
    (member) => {
      const id = name(member, member, "members", parseMemberId);
      return id === undefined ? undefined : { line: member.line, id };
    },
    ({ id }) => id,
  );
  const id = name(value, fields.id, "id", parseTeamId);
  if (id === undefined) return undefined;
  const displayName = fields.display_name?.text() ?? "";
  return { line: value.line, id, displayName, labels, members: fields.members === undefined ? undefined : members };
}

const kinds: readonly MemberKindName[] = ["person", "robot"];

function readMember(value: Value, reader: CertificateReader): ManifestMember | undefined {
  const fields = value.fields(["id", "display_name", "kind", "certificates"] as const);
  const said = fields.kind?.text() ?? "";
  const kind = kinds.find((one) => one === said) ?? "";
  if (kind !== said) fields.kind?.wrong("`kind` must be person or robot");
  const certificates = each(
    fields.certificates,
    (certificate) => readCertificate(certificate, reader),
    ({ sha256 }) => `certificate ${sha256}`,
  );
  const id = name(value, fields.id, "id", parseMemberId);
  if (id === undefined) return undefined;
  return { line: value.line, id, displayName: fields.display_name?.text() ?? "", kind, certificates };
}

function readCertificate(value: Value, reader: CertificateReader): ManifestCertificate | undefined {
  const { pem, file } = value.fields(["pem", "file"] as const);
  if ((pem === undefined) === (file === undefined)) {
    value.wrong("must give either `pem` or `file`");
    return undefined;
  }
  const read = pem === undefined ? reader.fromFile(file?.text() ?? "") : reader.fromText(pem.text());
  if (read.ok) return { line: value.line, ...read.certificate };
  value.wrong(read.fault);
  return undefined;
}

function readRepository(value: Value): ManifestRepository | undefined {
  const fields = value.fields(["gun", "delegations"] as const);
  if (fields.delegations === undefined) value.wrong("`delegations` is missing; an empty list is `[]`");
  const delegations = each(fields.delegations, readDelegation, ({ team }) => team);
  const gun = name(value, fields.gun, "gun", parseGun);
  return gun === undefined ? undefined : { line: value.line, gun, delegations };
}

function readDelegation(value: Value): ManifestDelegation | undefined {
  const fields = value.fields(["team", "paths", "exclude_from_releases"] as const);
  const paths = pathsOf((fields.paths?.list() ?? []).map((path) => path.text()));
  const excludeFromReleases = fields.exclude_from_releases?.truth() ?? false;
  const team = name(value, fields.team, "team", parseTeamId);
  return team === undefined ? undefined : { line: value.line, team, paths, excludeFromReleases };
}

/** A key belongs to one member, so a certificate stands with one. */
function requireOneOwner(members: readonly ManifestMember[], faults: FileFault[]): void {
  const owners = new Map<string, ManifestMember>();
  for (const member of members) {
    for (const { line, sha256 } of member.certificates) {
      const owner = owners.get(sha256);
      if (owner !== undefined) faults.push({ line, fault: `certificate ${sha256} belongs to ${owner.id} already` });
      owners.set(sha256, owner ?? member);
    }
  }
}
