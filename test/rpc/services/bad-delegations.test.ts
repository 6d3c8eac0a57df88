import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { type House, openHouse } from "./house.ts";
import { assertRefused, bad, invalid, testRefusals } from "./refusals.ts";
import { addMember, createTeam, initialize, makeTeam } from "./story.ts";

const { delegate, listDelegations } = DelegationServiceService;
const { initializeTrust } = TrustServiceService;
const gun = "dtr.example.org/dev/nginx";
const large = "dtr.example.org/dev/large";

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  await makeTeam(house.admin, "qa", ["ann"]);
  await createTeam(house.admin, "idle");
  await initialize(house.admin, gun, ["qa"]);
});
after(() => house.stop());

const pathsOf = (count: number, length: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => String(at).padEnd(length, "x"));
const grant = (team: string, paths: readonly string[] = []) => ({ team, paths, excludeFromReleases: false });

testRefusals(
  () => house,
  [
    bad("an unknown GUN", delegate, { gun: "dtr.example.org/dev/none", team: "qa" }, "NOT_FOUND"),
    bad("an unknown team", delegate, { gun, team: "none" }, "NOT_FOUND"),
    bad("a team without a valid certificate", delegate, { gun, team: "idle" }, "NO_VALID_CERTIFICATE"),
    bad("an unknown team from the start", initializeTrust, { gun: large, teams: [grant("none")] }, "NOT_FOUND"),
    bad(
      "a team without a certificate from the start",
      initializeTrust,
      { gun: large, teams: [grant("idle")] },
      "NO_VALID_CERTIFICATE",
    ),
    bad(
      "paths narrower than those of releases",
      delegate,
      { gun, team: "qa", paths: ["1."] },
      "PATHS_NEED_EXCLUSION",
      "paths",
    ),
    bad(
      "paths narrower than those of releases from the start",
      initializeTrust,
      { gun: large, teams: [grant("qa"), grant("idle", ["1."]), grant("ops", ["2."])] },
      "PATHS_NEED_EXCLUSION",
      ...["teams[1].paths", "teams[2].paths"],
    ),
    invalid("a path with a control character", delegate, { gun, team: "qa", paths: ["1.", "\u0007"] }, "paths"),
    invalid("a path over 255 bytes", delegate, { gun, team: "qa", paths: pathsOf(1, 256) }, "paths"),
    invalid("more than 1,000 paths", delegate, { gun, team: "qa", paths: pathsOf(1_001, 4) }, "paths"),
    invalid(
      "more than 1,000 teams",
      initializeTrust,
      { gun, teams: pathsOf(1_001, 4).map((id) => grant(id)) },
      "teams",
    ),
    invalid(
      "everything that can be wrong with a first publication",
      initializeTrust,
      {
        gun: "x",
        teams: [grant("qa"), grant("Ops", ["\n"]), grant("qa")],
        labels: { "Not a key": "v" },
        displayName: " x",
        keyBackend: "none",
        releasesPaths: ["\n"],
        options: { requestId: "\n", reason: "\n" },
      },
      ...["gun", "teams[1].team", "teams[1].paths", "teams[2].team", "labels", "display_name", "key_backend"],
      ...["releases_paths", "options.request_id", "options.reason"],
    ),
    bad("a Notary that does not serve the registry", initializeTrust, { gun: large, notary: "slow" }, "NO_SUCH_NOTARY"),
  ],
);

test("a targets file over 3.5 MiB is refused before anything is decided; lists are cut where an answer would be too long", async () => {
  const { admin } = house;
  const names = Array.from({ length: 15 }, (_, at) => `large-${String.fromCharCode(97 + at)}`);
  await makeTeam(admin, names[0] ?? "", ["lea"]);
  await initialize(admin, large);
  for (const [at, team] of names.entries()) {
    if (at > 0) await createTeam(admin, team);
    if (at > 0) await addMember(admin, team, "lea");
    const wish = { gun: large, team, paths: pathsOf(1_000, 250), excludeFromReleases: true };
    if (at < 14) await admin.send(delegate, { ...wish, options: { noWait: true } });
    else assert.equal((await assertRefused(house, bad("", delegate, wish, "TOO_LARGE"))).metadata["gun"], large);
  }
  const pages = [];
  let pageToken = "";
  do {
    const page = await admin.send(listDelegations, { gun: large, pageSize: 1_000, pageToken });
    pages.push(page.delegations.map(({ team }) => team));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual(pages.flat(), names.slice(0, 14));
});
