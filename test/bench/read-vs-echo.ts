import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import type { Address, Caller, Rpc } from "./caller.ts";
import { type Child, startChild } from "./child.ts";
import { initialize } from "./collections.ts";
import { type EchoOrder, type EchoStarted, echoPath } from "./echo-server.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { type Pairs, runPairs, type Side } from "./pairs.ts";
import { cpuMsOf } from "./process-figures.ts";
import type { Driven, DriveOrder } from "./read-driver.ts";
import type { Service } from "./service.ts";
import type { Site } from "./site.ts";
import { gunOf, makeTeams } from "./teams.ts";

const name = "read-vs-echo";
const teamCount = 4;
const driverCount = 2;

interface Sizes {
  readonly pairs: number;
  /** In one round, all drivers together. */
  readonly calls: number;
  readonly inFlight: number;
}

/** GetTrust and ListDelegations against a server that answers as many bytes and does nothing; the slower of both counts. */
export const readVsEcho: Measure = defineMeasure({
  name,
  wanted: { ratio: 0.3, meaning: "at least" },
  full: { pairs: 9, calls: 6_000, inFlight: 16 },
  short: { pairs: 1, calls: 20, inFlight: 2 },
  run: async (site, sizes) =>
    site.withService(async (service) => {
      const reads = await prepareReads(service);
      const echo = startChild<EchoOrder, EchoStarted>("./echo-server.ts");
      const drivers = Array.from({ length: driverCount }, () => startChild<DriveOrder, Driven>("./read-driver.ts"));
      try {
        const answers = Object.fromEntries(reads.map((read) => [read.method, read.answer.toString("base64")]));
        const { port } = await echo.ask({ ...service.tls, answers });
        const address = { ...service.address, address: `localhost:${port}` };
        const found: Pairs[] = [];
        for (const read of reads) {
          found.push(await compare(site, sizes, read, drivers, { service, echo: { address, pid: echo.pid } }));
        }
        const slower = found.reduce((one, other) => (other.ratio < one.ratio ? other : one));
        return {
          ...slower,
          unit: "calls/s",
          conditions:
            `the slower of ${found.map((one) => one.conditions).join(" and ")}; ${driverCount} grpc-js client processes with ` +
            `${sizes.inFlight} calls under way each, ${sizes.calls} calls a side and round, mutual TLS on both`,
        };
      } finally {
        await Promise.all([echo, ...drivers].map((child) => child.stop()));
      }
    }),
});

interface Read {
  readonly method: string;
  readonly path: string;
  readonly request: Buffer;
  readonly answer: Buffer;
}

/** A collection with some teams, the two requests about it and what the service answers. */
async function prepareReads(service: Service): Promise<readonly Read[]> {
  const [caller] = await service.callers(1);
  const teams = await makeTeams(caller, `${name}-`, teamCount);
  const gun = gunOf(name, "ours", 0);
  await initialize(caller, gun, teams);
  return [
    await readOf(caller, "GetTrust", TrustServiceService.getTrust, { gun }),
    await readOf(caller, "ListDelegations", DelegationServiceService.listDelegations, { gun }),
  ];
}

async function readOf<Request, Response>(
  caller: Caller,
  method: string,
  rpc: Rpc<Request, Response>,
  fields: Partial<Request>,
): Promise<Read> {
  const request = rpc.requestSerialize({ ...rpc.requestDeserialize(Buffer.alloc(0)), ...fields });
  return { method, path: rpc.path, request, answer: await caller.callBytes(rpc.path, request) };
}

async function compare(
  site: Site,
  { pairs, calls, inFlight }: Sizes,
  read: Read,
  drivers: readonly Child<DriveOrder, Driven>[],
  servers: { readonly service: Service; readonly echo: { readonly address: Address; readonly pid: number } },
): Promise<Pairs> {
  const cpu = { ours: 0, echo: 0 };
  const each = Math.ceil(calls / drivers.length);
  const side = (which: "ours" | "echo", address: Address, path: string, pid: number): Side => {
    const order = { address, path, request: read.request.toString("base64"), calls: each, inFlight };
    return async () => {
      const before = await cpuMsOf(pid);
      const driven = await Promise.all(drivers.map((driver) => driver.ask(order)));
      cpu[which] += (await cpuMsOf(pid)) - before;
      if (driven.some(({ bytes }) => bytes !== each * read.answer.length))
        throw new Error(`${path} changed its answer`);
      return (each * drivers.length) / Math.max(...driven.map(({ seconds }) => seconds));
    };
  };
  const { service, echo } = servers;
  const found = await runPairs(
    site,
    pairs,
    side("ours", service.address, read.path, service.pid),
    side("echo", echo.address, echoPath(read.method), echo.pid),
  );
  const total = (pairs + 1) * each * drivers.length;
  return {
    ...found,
    conditions:
      `${read.method} (${read.answer.length} bytes, ${found.conditions}, CPU of the servers ` +
      `${((cpu.ours * 1_000) / total).toFixed(0)} and ${((cpu.echo * 1_000) / total).toFixed(0)} us a call)`,
  };
}
