// A game backend in Node: requests the best offers for a player, shows the first one, and reports that it was shown.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { parseArgs } = require("node:util");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const CONNECT_MS = 5000;
const DEADLINE_MS = 200;
const REPORT_MS = 1000;
const CONTRACT = path.join(__dirname, "..", "..", "protos", "offers.proto");
const USAGE = `usage: get_offer.js [--default-offer ID] ADDRESS GAME PLAYER [NAME=VALUE ...]
with TLS: --tls-ca FILE [--tls-cert FILE --tls-key FILE] [--tls-name NAME] [--token-file FILE]`;
const OPTIONS = {
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  "grpc.keepalive_time_ms": 10000,
  "grpc.keepalive_timeout_ms": 2000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_retries": 0,
};
// The request or the caller is wrong: no retry can succeed, and a developer must see the message.
const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED } = grpc.status;
const { UNAUTHENTICATED, PERMISSION_DENIED } = grpc.status;
const WRONG_REQUEST = new Set([
  INVALID_ARGUMENT,
  NOT_FOUND,
  FAILED_PRECONDITION,
  UNIMPLEMENTED,
  UNAUTHENTICATED,
  PERMISSION_DENIED,
]);

function main() {
  const { address, game, playerId, words, defaultOffer, tls } = readArguments();
  const { mesh } = grpc.loadPackageDefinition(
    loader.loadSync(CONTRACT, { keepCase: true, longs: Number, enums: String, defaults: true }),
  );
  // A real backend keeps one client for its whole life.
  const offers = new mesh.v1.Offers(address, credentialsOf(tls), optionsOf(tls));
  const request = { game, player_id: playerId, context: Object.fromEntries(words.map(contextValue)), limit: 3 };

  const outOfReach = (why) => console.log(`${defaultOffer} (out of reach: ${why})`);
  // Connect before the first deadline starts: the look-up of the name and the handshake can take longer.
  offers.waitForReady(Date.now() + CONNECT_MS, (failure) => {
    if (failure) {
      outOfReach(`no connection to ${address} within ${CONNECT_MS} ms`);
      offers.close();
      return;
    }
    offers.GetOffer(request, { deadline: Date.now() + DEADLINE_MS }, (error, answer) => {
      if (error && WRONG_REQUEST.has(error.code)) {
        console.error(`wrong request: ${error.message}`);
        process.exitCode = 2;
      } else if (error) {
        outOfReach(error.message);
      } else {
        console.log(`${answer.offers[0].offer_id} (${answer.source}) ${answer.reason}`.trimEnd());
        reportShown(offers, game, answer);
        return;
      }
      offers.close();
    });
  });
}

// Plaintext, or TLS with a certificate of this backend or a token. gRPC sends a token over TLS only.
function credentialsOf(tls) {
  if (!tls["tls-ca"]) return grpc.credentials.createInsecure();
  const [ca, key, cert] = ["tls-ca", "tls-key", "tls-cert"].map((name) => (tls[name] ? fs.readFileSync(tls[name]) : null));
  const secured = grpc.credentials.createSsl(ca, key, cert);
  const file = tls["token-file"];
  if (!file) return secured;
  // The file is read for each call, so that the token can be changed at any time.
  const token = grpc.credentials.createFromMetadataGenerator((_, done) => {
    fs.readFile(file, "utf8", (error, text) => {
      if (error) return done(error);
      const metadata = new grpc.Metadata();
      metadata.set("authorization", `Bearer ${text.trim()}`);
      done(null, metadata);
    });
  });
  return grpc.credentials.combineChannelCredentials(secured, token);
}

function optionsOf(tls) {
  return tls["tls-name"] ? { ...OPTIONS, "grpc.ssl_target_name_override": tls["tls-name"] } : OPTIONS;
}

// Reports that the first offer of the answer was shown. The game goes on without the report.
function reportShown(offers, game, answer) {
  const { decision_id } = answer;
  // The same outcome_id in each attempt, so that the outcome counts once.
  const shown = { game, outcome_id: `${decision_id}-shown`, decision_id, kind: "SHOWN" };
  offers.ReportOutcome(shown, { deadline: Date.now() + REPORT_MS }, (error) => {
    // FAILED_PRECONDITION: the game has no log of outcomes. A real backend repeats other failed reports later.
    if (error && error.code !== FAILED_PRECONDITION) console.error(`not reported: ${error.message}`);
    offers.close();
  });
}

function readArguments() {
  try {
    const files = ["tls-ca", "tls-cert", "tls-key", "tls-name", "token-file"].map((name) => [name, { type: "string" }]);
    const options = { "default-offer": { type: "string", default: "starter-pack" }, ...Object.fromEntries(files) };
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const [address, game, playerId, ...words] = positionals;
    if (values["token-file"] && !values["tls-ca"]) {
      throw new Error("--token-file needs --tls-ca: a token must not be readable on the way");
    }
    const found = { address, game, playerId, words, defaultOffer: values["default-offer"], tls: values };
    if (playerId !== undefined) return found;
  } catch (error) {
    console.error(error.message);
  }
  console.error(USAGE);
  process.exit(2);
}

// "NAME=VALUE": true and false are flags, numbers are numbers, and everything else is text.
function contextValue(word) {
  const at = word.indexOf("=");
  const [name, value] = at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
  if (value === "true" || value === "false") return [name, { flag: value === "true" }];
  return [name, value.trim() !== "" && Number.isFinite(Number(value)) ? { number: Number(value) } : { text: value }];
}

main();
