import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { schemaToJson } from "@cedar-policy/cedar-wasm/nodejs";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import * as audit from "../../gen/imagetrust/v1/audit.ts";
import * as delegation from "../../gen/imagetrust/v1/delegation.ts";
import * as expiry from "../../gen/imagetrust/v1/expiry.ts";
import * as signature from "../../gen/imagetrust/v1/signature.ts";
import * as team from "../../gen/imagetrust/v1/team.ts";
import * as trust from "../../gen/imagetrust/v1/trust.ts";
import { createAuthorizer } from "../../src/rpc/authorize.ts";
import type { Edge } from "../../src/rpc/edge.ts";
import { implement } from "../../src/rpc/implement.ts";
import { permissions } from "../../src/rpc/permissions.ts";
import { policySchema } from "../../src/rpc/policy-set.ts";

const services: Readonly<Record<string, ServiceDefinition>> = {
  trust: trust.TrustServiceService,
  team: team.TeamServiceService,
  delegation: delegation.DelegationServiceService,
  expiry: expiry.ExpiryServiceService,
  signature: signature.SignatureServiceService,
  audit: audit.AuditServiceService,
};
const methods = Object.values(services).flatMap((service) => Object.values(service));

test("every RPC of the API has a permission, and every permission an RPC", async () => {
  const image = await readFile(new URL("../../gen/imagetrust.v1.binpb", import.meta.url));
  const described = Object.entries(loadFileDescriptorSetFromBuffer(image))
    .filter(([name]) => name.startsWith("imagetrust.v1.") && name.endsWith("Service"))
    .flatMap(([, service]) => Object.values(service as ServiceDefinition).map((method) => method.path));
  assert.ok(described.length > 20);
  assert.deepEqual(new Set(permissions.keys()), new Set(described));
  assert.deepEqual(new Set(permissions.keys()), new Set(methods.map((method) => method.path)));
});

test("every permission's action stands in the schema and may be asked about its resource", () => {
  const schema = schemaToJson(policySchema);
  assert.ok(schema.type === "success");
  const [{ actions: described } = assert.fail()] = Object.values(schema.json);
  const actions = new Map(Object.entries(described));
  // One policy that permits all: a question that does not fit the schema is denied all the same.
  const policies = { all: '@id("all") permit(principal, action, resource);' };
  const authorizer = createAuthorizer({ policies, entities: new Map(), version: "0" });
  for (const method of methods) {
    const permission = permissions.get(method.path) ?? assert.fail(method.path);
    assert.ok(actions.has(permission.action), permission.action);
    const resource = permission.resourceOf(method.requestDeserialize(Buffer.alloc(0)));
    assert.equal(authorizer.decide("anybody", permission.action, resource).decision, "ALLOW", method.path);
  }
  const single = [...actions.values()].filter((action) => (action.appliesTo?.resourceTypes.length ?? 0) > 0);
  assert.equal(single.length, methods.length, "the schema has no action without an RPC");
});

test("the resource is what the request names", () => {
  const resourceOf = (path: string, request: object) => {
    const { type, id } = permissions.get(`/imagetrust.v1.${path}`)?.resourceOf(request) ?? assert.fail(path);
    return `${type} ${id}`;
  };
  assert.equal(resourceOf("DelegationService/Delegate", { gun: "a.b/c", team: "qa" }), "Collection a.b/c");
  assert.equal(resourceOf("DelegationService/ListDelegations", { gun: "a.b/c", team: "qa" }), "Collection a.b/c");
  assert.equal(resourceOf("DelegationService/ListDelegations", { gun: "", team: "qa" }), "Team qa");
  const nothing = { gun: "", gunPrefix: "", team: "", member: "", key: "" };
  const authority = (over: object) => resourceOf("DelegationService/ListAuthority", { ...nothing, ...over });
  const narrower = { team: "qa", member: "bob", key: "1b" };
  assert.equal(authority({ ...narrower, gun: "a.b/c", gunPrefix: "d.e/" }), "Collection a.b/c");
  assert.equal(authority({ ...narrower, gunPrefix: "a.b/c/" }), "Collection a.b/c/");
  assert.equal(authority(narrower), "Team qa");
  assert.equal(authority({ member: "bob", key: "1b" }), "Member bob");
  assert.equal(authority({ key: "1b" }), "Certificate 1b");
  assert.equal(resourceOf("SignatureService/WatchTrust", { gun: "a.b/c" }), "Collection a.b/c");
  assert.equal(resourceOf("SignatureService/WatchTrust", { gun: "" }), "Collection ");
  assert.equal(resourceOf("TeamService/AddMember", { team: "qa", member: "bob" }), "Team qa");
  assert.equal(resourceOf("TeamService/SubmitCertificate", { member: "bob" }), "Member bob");
  assert.equal(resourceOf("TeamService/RevokeMember", { member: "bob" }), "Member bob");
  assert.equal(resourceOf("TeamService/ReplaceCertificate", { certificate: "1b" }), "Certificate 1b");
  assert.equal(resourceOf("TeamService/ListTeams", { member: "bob" }), "Member bob");
  assert.equal(resourceOf("ExpiryService/ListExpiring", { gunPrefix: "a.b/c/", team: "qa" }), "Collection a.b/c/");
  assert.equal(resourceOf("ExpiryService/ListExpiring", { gunPrefix: "", team: "qa" }), "Team qa");
  assert.equal(resourceOf("ExpiryService/ListExpiring", { gunPrefix: "", team: "" }), "Collection ");
  assert.equal(resourceOf("AuditService/ListAuditRecords", { gun: "a.b/c", team: "", member: "" }), "Audit a.b/c");
});

test("a service with an RPC that has no permission is not served", () => {
  assert.throws(() => implement({} as Edge, services["team"] ?? {}, {} as never, new Map()), /has no entry/);
});
