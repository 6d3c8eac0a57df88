/** The configuration of notary-server and notary-signer as docker-compose.yml runs them, and of imagetrust towards them. */

/** At "info" notary-signer logs everything that it signs. */
export function signerConfig(databaseUrl: string): object {
  return {
    server: {
      grpc_addr: ":7899",
      tls_cert_file: "/run/prepared/tls.pem",
      tls_key_file: "/run/prepared/tls-key.pem",
      client_ca_file: "/run/prepared/ca.pem",
    },
    logging: { level: "error" },
    storage: { backend: "postgres", db_url: databaseUrl, default_alias: "primary" },
  };
}

export function serverConfig(databaseUrl: string): object {
  return {
    server: {
      http_addr: ":4443",
      tls_cert_file: "/run/prepared/tls.pem",
      tls_key_file: "/run/prepared/tls-key.pem",
    },
    trust_service: {
      type: "remote",
      hostname: "notary-signer",
      port: "7899",
      key_algorithm: "ecdsa",
      tls_ca_file: "/run/prepared/ca.pem",
      tls_client_cert: "/run/prepared/signer-client.pem",
      tls_client_key: "/run/prepared/signer-client-key.pem",
    },
    logging: { level: "error" },
    storage: { backend: "postgres", db_url: databaseUrl },
  };
}

/** What imagetrust is told of that server; `publicHost` is where members reach it. */
export function notaryServers(publicHost: string): object {
  return [
    {
      name: "main",
      baseUrl: "https://notary-server:4443",
      publicUrl: `https://${publicHost.includes(":") ? `[${publicHost}]` : publicHost}:4443`,
      registryHosts: ["*"],
      caFile: "/run/prepared/notary-ca.pem",
    },
  ];
}
