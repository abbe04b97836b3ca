// A game backend in Node: requests the best offers for a player, shows the first one, and reports that it was shown.
"use strict";

const fs = require("node:fs");
const { parseArgs } = require("node:util");

const CONNECT_MS = 5000;
const USAGE = `usage: get_offer.js [--default-offer ID] ADDRESS GAME PLAYER [NAME=VALUE ...]
with TLS: --tls-ca FILE [--tls-cert FILE --tls-key FILE] [--tls-name NAME] [--token-file FILE]`;

async function main() {
  const { address, game, playerId, words, defaultOffer, tls } = readArguments();
  // A backend that has installed the package imports "ensemble-mesh-client".
  const { OfferClient, WrongRequestError } = await import("../../clients/node/src/index.js");
  // A real backend keeps one client for its whole life.
  const mesh = new OfferClient(address, { game, fallback: defaultOffer, security: securityOf(tls) });
  await mesh.connected(CONNECT_MS);
  try {
    const answer = await mesh.getOffer(playerId, { context: Object.fromEntries(words.map(contextValue)), limit: 3 });
    console.log(`${answer.offerId} (${answer.source.toUpperCase()}) ${answer.reason}`.trimEnd());
    const { decisionId } = answer;
    // The outcomeId is the same in each attempt, so that the outcome counts once.
    if (decisionId) mesh.reportOutcome({ outcomeId: `${decisionId}-shown`, decisionId, kind: "SHOWN" });
  } catch (error) {
    if (!(error instanceof WrongRequestError)) throw error;
    console.error(`wrong request: ${error.message}`); // no retry can succeed, and a developer must see the message
    process.exitCode = 2;
  } finally {
    await mesh.close();
  }
}

// Plaintext, or TLS with a certificate of this backend or a token.
function securityOf(tls) {
  if (!tls["tls-ca"]) return undefined;
  const token = tls["token-file"] && fs.readFileSync(tls["token-file"], "utf8").trim();
  return { ca: tls["tls-ca"], cert: tls["tls-cert"], key: tls["tls-key"], serverName: tls["tls-name"], token };
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
  if (value === "true" || value === "false") return [name, value === "true"];
  return [name, value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value];
}

main();
