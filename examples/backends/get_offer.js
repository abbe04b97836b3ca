// A game backend in Node: requests the best offers for a player, with its own deadline.
"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const DEADLINE_MS = 200;
const DEFAULT_OFFER = "starter-pack"; // shown when the mesh is unreachable
const CONTRACT = path.join(__dirname, "..", "..", "protos", "offers.proto");

const [address, game, playerId] = process.argv.slice(2);
const { mesh } = grpc.loadPackageDefinition(
  loader.loadSync(CONTRACT, { keepCase: true, longs: Number, enums: String, defaults: true }),
);
const offers = new mesh.v1.Offers(address, grpc.credentials.createInsecure());

const request = {
  game,
  player_id: playerId,
  context: { session_minutes: { number: 12.5 } },
  limit: 3,
};
offers.GetOffer(request, { deadline: Date.now() + DEADLINE_MS }, (error, answer) => {
  if (error) {
    console.log(`${DEFAULT_OFFER} (the mesh is unreachable or the request is wrong: ${error.message})`);
  } else {
    console.log(`${answer.offers[0].offer_id} (${answer.source}) ${answer.reason}`);
  }
  offers.close();
});
