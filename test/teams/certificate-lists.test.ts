import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { CertificateState } from "../../src/teams/certificate.ts";
import { listCertificates } from "../../src/teams/certificates.ts";
import { type CertificateWish, daysFrom, hex, makeCertificate } from "../x509/make-certificate.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { type House, memberId, openHouse, teamId } from "./house.ts";

describe("certificates in lists", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  const listed = async (
    query: { member?: string; team?: string; states?: readonly CertificateState[] },
    size = 50,
  ): Promise<readonly (readonly string[])[]> => {
    const filter = {
      member: query.member === undefined ? undefined : memberId(query.member),
      team: query.team === undefined ? undefined : teamId(query.team),
      states: query.states ?? [],
    };
    const pages: (readonly string[])[] = [];
    let token = "";
    do {
      const page = await listCertificates(house.room, filter, { size, token });
      pages.push(page.items.map((certificate) => `${certificate.serial} ${certificate.state}`));
      token = page.nextToken;
    } while (token !== "");
    return pages;
  };
  beforeEach(async () => {
    await house.clear();
    for (const team of ["qa", "dev"]) await act.create(team);
    await act.add("qa", "ann");
    await act.add("dev", "ann");
    await act.add("qa", "bob");
    const now = house.now();
    const wishes: (readonly [string, CertificateWish])[] = [
      ["bob", { serial: hex("01") }],
      ["ann", { serial: hex("02") }],
      ["ann", { serial: hex("03"), to: daysFrom(now, 1) }],
      ["ann", { serial: hex("04"), from: daysFrom(now, 0.9), to: daysFrom(now, 30) }],
      ["ann", { serial: hex("05") }],
    ];
    for (const [member, wish] of wishes) {
      const { certificate } = await act.submit(member, makeCertificate(house.now(), wish).pem);
      house.advance(1);
      if (wish.serial?.equals(hex("05"))) await act.revoke(certificate?.id ?? "");
    }
  });

  it("stand by member and in the order of their submission, with the state of the moment", async () => {
    const all = ["02 ACTIVE", "03 ACTIVE", "04 NOT_YET_VALID", "05 REVOKED", "01 ACTIVE"];
    assert.deepEqual(await listed({}), [all]);
    assert.deepEqual(await listed({}, 2), [all.slice(0, 2), all.slice(2, 4), all.slice(4)]);
    assert.deepEqual(await listed({ member: "bob" }), [["01 ACTIVE"]]);
    assert.deepEqual(await listed({ team: "dev" }), [all.slice(0, 4)]);
    house.advance(2 * 86_400_000);
    assert.deepEqual(await listed({ team: "dev" }), [["02 ACTIVE", "03 EXPIRED", "04 ACTIVE", "05 REVOKED"]]);
  });

  it("are picked by state exactly as the state is shown", async () => {
    const submittedAt = house.now().getTime() - 5;
    for (const days of [0, 0.9, 0.95, 1, 2, 30, 40]) {
      house.advance(submittedAt + days * 86_400_000 - house.now().getTime());
      const [all = []] = await listed({});
      for (const state of ["ACTIVE", "EXPIRED", "REVOKED", "NOT_YET_VALID"] as const) {
        const [some] = await listed({ states: [state] });
        assert.deepEqual(
          some,
          all.filter((line) => line.endsWith(` ${state}`)),
        );
      }
      const [two] = await listed({ states: ["EXPIRED", "REVOKED"], member: "ann" });
      assert.ok(two?.every((line) => /EXPIRED|REVOKED/.test(line)));
    }
  });

  it("give a token for that list alone", async () => {
    const query = { member: memberId("ann"), team: undefined, states: [] };
    const page = await listCertificates(house.room, query, { size: 1, token: "" });
    const other = { ...query, states: ["ACTIVE"] as const };
    await assertRefused(
      house,
      () => listCertificates(house.room, other, { size: 1, token: page.nextToken }),
      "INVALID_FIELD",
    );
  });
});
