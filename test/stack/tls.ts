export { type CertificateFiles, layTls, type NotaryTls } from "../../scripts/stack/tls.ts";
