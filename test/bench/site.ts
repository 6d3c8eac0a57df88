import { startNotary, type TestNotary } from "../stack/notary.ts";
import { startPostgres } from "../stack/postgres.ts";
import { type BareNotary, openBareNotary } from "./bare-notary.ts";
import { type Service, startService } from "./service.ts";

/** The ground on which both sides run: one real Notary on SQL storage, and clusters that keep what they acknowledge. */
export interface Site {
  readonly notary: TestNotary;
  /** Requests straight to notary-server. */
  readonly bare: BareNotary;
  /** Starts a service of its own for the work and ends it afterwards. */
  withService<T>(work: (service: Service) => Promise<T>): Promise<T>;
  /** Undefined when notary-server died by itself meanwhile, whatever became of the work; it runs again by then. */
  unlessNotaryDies<T>(work: () => Promise<T>): Promise<T | undefined>;
  close(): Promise<void>;
}

export interface SiteOptions {
  /** Flags for the service's Node. */
  readonly nodeOptions: string | undefined;
  /** One service for all measures: figures then mean nothing. */
  readonly sharesService: boolean;
}

/** Notary and the service have a cluster each, as they would have in production. */
export async function openSite(options: SiteOptions): Promise<Site> {
  let shared: Service | undefined;
  const notaryPostgres = await startPostgres({ durable: true });
  const notary = await startNotary(notaryPostgres);
  const postgres = await startPostgres({ durable: true });
  const bare = await openBareNotary(notary);
  return {
    notary,
    bare,
    withService: async (work) => {
      const service = shared ?? (await startService(notary, postgres, options.nodeOptions));
      if (options.sharesService) shared = service;
      try {
        return await work(service);
      } finally {
        if (shared === undefined) await service.stop();
      }
    },
    unlessNotaryDies: async (work) => {
      const before = notary.serverCrashes;
      try {
        const found = await work();
        if (notary.serverCrashes === before) return found;
      } catch (error) {
        await notary.serverReady();
        if (notary.serverCrashes === before) throw error;
      }
      await notary.serverReady();
      return undefined;
    },
    close: async () => {
      await shared?.stop();
      await bare.close();
      await notary.stop();
      await postgres.stop();
      await notaryPostgres.stop();
    },
  };
}
