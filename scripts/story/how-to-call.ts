import { shellWord } from "./narrator.ts";
import type { Scene } from "./scene.ts";

/** What one types to go on from here, line by line as a shell takes it. */
export function howToCall({ cast, stack, environment }: Scene): string {
  const { service, notary } = stack;
  const request = `-d '{"gun": "${cast.gun}"}'`;
  const method = "imagetrust.v1.TrustService/GetTrust";
  return `Everything goes on running. In another terminal:

  source ${shellWord(environment.path)}

  # with the imagetrust command
  imagetrust trust get ${cast.gun}
  imagetrust --help

  # with buf, which learns the schema from the service
  buf curl --protocol grpc --cacert "$IMAGETRUST_CA" --cert "$IMAGETRUST_CERT" --key "$IMAGETRUST_KEY" ${request} "https://$IMAGETRUST_ADDRESS/${method}"

  # with grpcurl
  grpcurl -cacert "$IMAGETRUST_CA" -cert "$IMAGETRUST_CERT" -key "$IMAGETRUST_KEY" ${request} "$IMAGETRUST_ADDRESS" ${method}

  a viewer's certificate  ${service.clients.viewer.certFile}
  Notary                  ${notary.url}, its authority ${notary.caFile}
  metrics                 ${service.metricsUrl}
  log                     ${service.logFile}

Ctrl-C ends all of it; the next run takes up where this one ends.`;
}
