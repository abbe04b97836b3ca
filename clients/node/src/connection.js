// Connections to one supervisor: the contract, the channel's options, TLS and tokens.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const CONTRACT = fileURLToPath(new URL("./offers.proto", import.meta.url));
const { mesh } = grpc.loadPackageDefinition(
  loader.loadSync(CONTRACT, { keepCase: true, longs: Number, enums: String, oneofs: true }),
);
const { StreamOffers, StreamOutcomes } = mesh.v1.Offers.service;
const asItIs = (encoded) => encoded;
const OPTIONS = {
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.keepalive_time_ms": 2000,
  "grpc.keepalive_timeout_ms": 1000,
  "grpc.keepalive_permit_without_calls": 1,
};

/** Opens a connection to one supervisor; it connects at its first use. Throws if a file cannot be read. */
export function connect(address, security) {
  const options = { ...OPTIONS };
  if (security?.serverName) {
    options["grpc.ssl_target_name_override"] = security.serverName;
    options["grpc.default_authority"] = security.serverName;
  }
  return new mesh.v1.Offers(address, credentialsOf(security), options);
}

function credentialsOf(security) {
  if (!security) return grpc.credentials.createInsecure();
  const [ca, key, cert] = [security.ca, security.key, security.cert].map((path) => (path ? readFileSync(path) : null));
  const transport = grpc.credentials.createSsl(ca, key, cert);
  if (!security.token) return transport;
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${security.token}`);
    done(null, metadata);
  });
  return grpc.credentials.combineChannelCredentials(transport, bearer);
}

/** Returns the bytes of a request, or of a report. Throws TypeError if it cannot be encoded: on a stream, that would end it. */
export const encodedRequest = (request) => encoded(StreamOffers, request);
export const encodedReport = (report) => encoded(StreamOutcomes, report);

/** Opens a stream that takes requests, or reports, as bytes. */
export const openOffers = (connection) => open(connection, StreamOffers);
export const openOutcomes = (connection) => open(connection, StreamOutcomes);

function open(connection, { path, responseDeserialize }) {
  return connection.makeBidiStreamRequest(path, asItIs, responseDeserialize);
}

function encoded({ requestSerialize }, message) {
  try {
    return requestSerialize(message);
  } catch (error) {
    throw new TypeError(`cannot be encoded: ${error.message}`, { cause: error });
  }
}
