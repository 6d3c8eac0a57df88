import assert from "node:assert/strict";
import { createPublicKey, randomBytes, verify } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { type ErrorReason, Fault } from "../../src/errors.ts";
import type { CanonicalKeyId, Gun } from "../../src/names.ts";
import type { BackendKey, KeyBackend, KeySlot } from "../../src/signing/backend.ts";
import { signPayload } from "../../src/signing/sign.ts";
import { canonicalKeyIdOf } from "../../src/tuf/key.ts";

/** A backend on a store of its own. */
export interface BackendUnderTest {
  readonly backend: KeyBackend;
  /** Another backend on the same store, as after a restart or on another replica. */
  again(): Promise<KeyBackend>;
  close(): Promise<void>;
}

const never = new AbortController().signal;
const unknown = "0".repeat(64) as CanonicalKeyId;

/** A slot that differs from the others only where told. */
export function slotOf(change: Partial<KeySlot> = {}): KeySlot {
  return { gun: "dtr.example.org/dev/nginx" as Gun, role: "targets", incarnation: 1, ordinal: 0, ...change };
}

/** Whether an error is a Fault of that reason; for assert.rejects. */
export function faultOf(reason: ErrorReason, message = /./) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    return true;
  };
}

/** Whether a signature is the key's: raw r||s over the SHA-256 of the message. */
export function isSignature(key: BackendKey, message: Buffer, signature: Buffer): boolean {
  const publicKey = createPublicKey({ key: key.spki, type: "spki", format: "der" });
  return signature.length === 64 && verify("sha256", message, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature);
}

/** Registers what every key backend must do; each test opens a store of its own. */
export function describeKeyBackend(name: string, open: () => Promise<BackendUnderTest>): void {
  const start = async (t: TestContext): Promise<BackendUnderTest> => {
    const started = await open();
    t.after(() => started.close());
    return started;
  };

  describe(`the key backend ${name}`, () => {
    it("makes ECDSA keys on P-256, named by their canonical id, and shows nothing but their public side", async (t) => {
      const { backend } = await start(t);
      const key = await backend.generate(slotOf(), never);
      const { asymmetricKeyDetails } = createPublicKey({ key: key.spki, type: "spki", format: "der" });
      assert.equal(asymmetricKeyDetails?.namedCurve, "prime256v1");
      assert.equal(key.algorithm, "ecdsa");
      assert.equal(key.id, canonicalKeyIdOf({ keyType: "ecdsa", public: key.spki }));
      assert.deepEqual(new Set(Object.keys(key)), new Set(["algorithm", "id", "spki"]));
    });

    it("signs with r||s of 64 bytes over SHA-256, whatever the message and its length", async (t) => {
      const { backend } = await start(t);
      const key = await backend.generate(slotOf(), never);
      const messages = [
        Buffer.alloc(0),
        Buffer.alloc(3_500_000, 7),
        ...Array.from({ length: 50 }, () => randomBytes(40)),
      ];
      for (const message of messages) {
        assert.ok(isSignature(key, message, await backend.sign(key.id, message, never)));
        assert.ok(isSignature(key, message, await signPayload(backend, key, message, never)));
      }
    });

    it("gives the same key for the same slot, and another for every other slot", async (t) => {
      const { backend } = await start(t);
      const slots = [
        slotOf(),
        slotOf({ gun: "dtr.example.org/dev/other" as Gun }),
        slotOf({ role: "root" }),
        slotOf({ incarnation: 2 }),
        slotOf({ ordinal: 1 }),
      ];
      const first = await Promise.all(slots.map((slot) => backend.generate(slot, never)));
      const second = await Promise.all(slots.map((slot) => backend.generate(slot, never)));
      assert.deepEqual(second, first);
      assert.equal(new Set(first.map((key) => key.id)).size, slots.length);
    });

    it("gives concurrent callers on all replicas one key per slot, and it signs", async (t) => {
      const { backend, again } = await start(t);
      const replicas = [backend, await again(), await again()];
      const made = await Promise.all(
        Array.from({ length: 30 }, (_, index) => replicas[index % 3]?.generate(slotOf({ ordinal: index % 2 }), never)),
      );
      assert.equal(new Set(made.map((key) => key?.id)).size, 2);
      const key = made[0];
      assert.ok(key);
      const message = Buffer.from("hello");
      for (const replica of replicas) assert.ok(isSignature(key, message, await replica.sign(key.id, message, never)));
    });

    it("shows a key by its id, and no key where there is none", async (t) => {
      const { backend } = await start(t);
      const key = await backend.generate(slotOf(), never);
      assert.deepEqual(await backend.get(key.id, never), key);
      assert.equal(await backend.get(unknown, never), undefined);
    });

    it("refuses to sign with a key it does not have, and tells nothing of the message", async (t) => {
      const { backend } = await start(t);
      await backend.generate(slotOf(), never);
      await assert.rejects(backend.sign(unknown, Buffer.from("planted"), never), (error: Fault) => {
        assert.doesNotMatch(`${error.stack} ${JSON.stringify(error.metadata)}`, /planted/);
        return faultOf("SIGNING_UNAVAILABLE", /\.$/)(error);
      });
    });

    it("does nothing for a call that was cancelled, and works for the next", async (t) => {
      const { backend } = await start(t);
      const key = await backend.generate(slotOf(), never);
      const late = new Fault("DEADLINE_EXCEEDED", "The deadline passed.");
      for (const [signal, reason] of [
        [AbortSignal.abort(), "CANCELLED"],
        [AbortSignal.abort(late), "DEADLINE_EXCEEDED"],
      ] as const) {
        await assert.rejects(backend.generate(slotOf({ ordinal: 1 }), signal), faultOf(reason));
        await assert.rejects(backend.get(key.id, signal), faultOf(reason));
        await assert.rejects(backend.sign(key.id, Buffer.from("a"), signal), faultOf(reason));
      }
      assert.ok(isSignature(key, Buffer.from("a"), await backend.sign(key.id, Buffer.from("a"), never)));
    });

    it("keeps keys and messages apart when many sign at once", async (t) => {
      const { backend, again } = await start(t);
      const keys = await Promise.all([0, 1, 2, 3].map((ordinal) => backend.generate(slotOf({ ordinal }), never)));
      const cold = await again();
      const signed = Array.from({ length: 100 }, async (_, index) => {
        const key = keys[index % 4];
        assert.ok(key);
        const message = Buffer.from(`message ${index}`);
        return isSignature(key, message, await cold.sign(key.id, message, never));
      });
      assert.ok((await Promise.all(signed)).every(Boolean));
    });

    it("signs with the same keys after a restart", async (t) => {
      const { backend, again } = await start(t);
      const key = await backend.generate(slotOf(), never);
      const restarted = await again();
      assert.deepEqual(await restarted.get(key.id, never), key);
      const message = Buffer.from("after");
      assert.ok(isSignature(key, message, await restarted.sign(key.id, message, never)));
      assert.deepEqual(await restarted.generate(slotOf(), never), key);
    });
  });
}
