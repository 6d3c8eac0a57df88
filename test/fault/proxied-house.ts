import { type House, openHouse, type Replica, type ReplicaOptions } from "../trust/house.ts";
import { type NotaryProxy, startNotaryProxy } from "./notary-proxy.ts";

/** A house whose one publishing replica reaches Notary through a proxy that tests command. */
export interface ProxiedHouse {
  readonly house: House;
  readonly proxy: NotaryProxy;
  readonly replica: Replica;
  /** Another replica behind the same proxy; the caller starts and stops it. */
  another(options?: Partial<ReplicaOptions>): Replica;
  stop(): Promise<void>;
}

export async function openProxiedHouse(options: Partial<ReplicaOptions> = {}): Promise<ProxiedHouse> {
  const house = await openHouse();
  await house.core.publisher.stop();
  const proxy = await startNotaryProxy(house.notary);
  const another = (more: Partial<ReplicaOptions> = {}): Replica =>
    house.another({ notary: { url: proxy.url, caFile: proxy.caFile }, ...options, ...more });
  const replica = another();
  await replica.core.publisher.start();
  return {
    house,
    proxy,
    replica,
    another,
    stop: async () => {
      await replica.stop();
      await proxy.close();
      await house.stop();
    },
  };
}
