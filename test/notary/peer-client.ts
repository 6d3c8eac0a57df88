import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Fault } from "../../src/errors.ts";
import type { Gun, RoleName } from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import type { NotaryServer } from "../../src/notary/server.ts";
import type { NotaryServerSettings } from "../../src/notary/settings.ts";
import { answer, type Peer, type PeerScript, startPeer } from "./peer.ts";

export const gun = "dtr.example.org:5000/dev/nginx" as Gun;
export const root = "root" as RoleName;
export const releases = "targets/releases" as RoleName;
export const files = [{ role: releases, bytes: Buffer.from("{}") }];
export const never = new AbortController().signal;
/** Notary's own words for metadata that it does not hold. */
export const absent = answer(404, '{"errors":[{"code":"METADATA_NOT_FOUND","message":"m","detail":{}}]}');

/** A client of a scripted peer; both end with the test. */
export async function withPeer(
  context: TestContext,
  script: PeerScript,
  settings: Partial<NotaryServerSettings> = {},
): Promise<{ peer: Peer; server: NotaryServer }> {
  const peer = await startPeer(script);
  const server = openServer(context, { baseUrl: peer.url, ...settings });
  context.after(() => peer.close());
  return { peer, server };
}

/** A client that ends with the test. */
export function openServer(
  context: TestContext,
  settings: Partial<NotaryServerSettings> & Pick<NotaryServerSettings, "baseUrl">,
): NotaryServer {
  const servers = openNotaryServers([{ name: "main", registryHosts: ["*"], ...settings }]);
  context.after(() => servers.close());
  return servers.byName("main");
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** For assert.rejects: a Fault NOTARY_UNAVAILABLE with that text. */
export const unavailable = (detail: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault);
  assert.equal(error.reason, "NOTARY_UNAVAILABLE");
  assert.match(error.message, detail);
  return true;
};
