import { relative } from "node:path";
import type { Chapter } from "./chapter.ts";
import { shellWord } from "./narrator.ts";
import type { Scene } from "./scene.ts";
import { insist } from "./story-fault.ts";

/** Who tries what is not theirs is refused, and whoever asks later can read all of it. */
export const readAudit: Chapter = {
  title: "A viewer cannot delegate, and the audit log tells who did what",
  opening: "Callers are known by their client certificates, and policies say what each may do.",
  steps: [
    { name: "try to delegate as a viewer", keeps: "a viewer may not delegate", play: delegateAsViewer },
    { name: "list the records", keeps: "the audit log tells all of it, the refusal included", play: listRecords },
  ],
};

async function delegateAsViewer({ admin, cast, stack, folder }: Scene): Promise<void> {
  const { certFile, keyFile } = stack.service.clients.viewer;
  const [cert, key] = [certFile, keyFile].map((file) => shellWord(relative(folder, file)));
  const said = await admin.run(`imagetrust --cert ${cert} --key ${key} delegate ${cast.gun} ${cast.team}`, 1);
  insist(said.includes("NOT_PERMITTED"), "It was refused for another reason.");
}

const told = [
  "team.created.v1",
  "member.added.v1",
  "certificate.submitted.v1",
  "trust.initialized.v1",
  "publication.intended.v1",
  "publication.landed.v1",
];

async function listRecords({ admin, startTime }: Scene): Promise<void> {
  const refusal = / (\S+) .*call\.refused\.v1 +PERMISSION_DENIED \(NOT_PERMITTED\)/g;
  const isRefusalThere = (output: string) =>
    [...output.matchAll(refusal)].some(([, time = ""]) => new Date(time) >= startTime);
  const said = await admin.runUntil("imagetrust audit list --all", isRefusalThere);
  insist(isRefusalThere(said), "The refusal is not among the records.");
  for (const event of told) insist(said.includes(event), `No record of ${event} is among them.`);
}
