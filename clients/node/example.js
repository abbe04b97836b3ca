// Asks for the offer of one player, prints it, and reports that it was shown.
import { OfferClient } from "./src/index.js";

const [address, game, player] = process.argv.slice(2);
if (!player) {
  console.error("usage: node example.js ADDRESS GAME PLAYER");
  process.exit(2);
}
const mesh = new OfferClient(address, { game, fallback: "starter-pack" });
await mesh.connected();
const answer = await mesh.getOffer(player);
console.log(`${answer.offerId} (${answer.source}) ${answer.reason}`.trimEnd());
if (answer.decisionId) {
  mesh.reportOutcome({ outcomeId: `${answer.decisionId}-shown`, decisionId: answer.decisionId, kind: "SHOWN" });
}
await mesh.close();
