import type { LocalService } from "../stack/service.ts";
import { shellWord } from "./narrator.ts";
import type { Scene } from "./scene.ts";

/** What one types to go on from here, line by line as a shell takes it. */
export function howToCall({ cast, stack, environment }: Scene): string {
  const { service, notary } = stack;
  const request = `'{"gun": "${cast.gun}"}'`;
  return `
Everything goes on running. In another terminal:

  source ${shellWord(environment.path)}

  # the imagetrust command
  imagetrust trust get ${cast.gun}
  imagetrust --help

  # buf curl; the service tells it the schema
  buf curl ${bufFlags(service)} -d ${request} https://${service.address}/imagetrust.v1.TrustService/GetTrust

  # grpcurl
  grpcurl ${grpcurlFlags(service)} -d ${request} ${service.address} imagetrust.v1.TrustService/GetTrust

  metrics  ${service.metricsUrl}
  notary   ${notary.url}  (authority: ${notary.caFile})
  log      ${service.logFile}

Ctrl-C ends all of it; the next run takes up where this one ends.
`;
}

function bufFlags({ caFile, clients }: LocalService): string {
  const { certFile, keyFile } = clients.admin;
  return `--protocol grpc --cacert ${shellWord(caFile)} --cert ${shellWord(certFile)} --key ${shellWord(keyFile)}`;
}

function grpcurlFlags({ caFile, clients }: LocalService): string {
  const { certFile, keyFile } = clients.admin;
  return `-cacert ${shellWord(caFile)} -cert ${shellWord(certFile)} -key ${shellWord(keyFile)}`;
}
