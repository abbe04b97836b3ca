// Asks for offers at a fixed rate, and prints what came back: the program that the conformance suite runs.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { OfferClient, WrongRequestError } from "./src/index.js";

const LATE_MS = 25; // beyond the deadline: the event loop may have been busy
const string = { type: "string" };
const { values } = parseArgs({
  options: {
    targets: string, game: string, fallback: string,
    rate: { ...string, default: "200" }, seconds: { ...string, default: "30" },
    "deadline-ms": { ...string, default: "250" }, players: { ...string, default: "1000" },
    "wrong-every": { ...string, default: "0" }, outcomes: { ...string, default: "0" },
    "tls-ca": string, "tls-cert": string, "tls-key": string, "tls-name": string, "token-file": string,
  },
});
const [rate, seconds, deadlineMs, players, wrongEvery, outcomes] =
  ["rate", "seconds", "deadline-ms", "players", "wrong-every", "outcomes"].map((name) => Number(values[name]));
const token = values["token-file"] && readFileSync(values["token-file"], "utf8").trim();
const security = values["tls-ca"] && {
  ca: values["tls-ca"], cert: values["tls-cert"], key: values["tls-key"], serverName: values["tls-name"], token,
};
const tally = { late: 0, exceptions: 0, wrong: 0, reasons: {}, lastReason: "", timesMs: [] };
const sources = { ensemble: 0, partial: 0, fallback: 0, local: 0 };

const client = new OfferClient(values.targets.split(","), { game: values.game, fallback: values.fallback, deadlineMs, security });
await client.connected();
console.log(JSON.stringify({ event: "ready" }));
const beganMs = performance.now();
const calls = Math.floor(rate * seconds);
const asking = [];
for (let number = 0; number < calls; number += 1) {
  const waitMs = beganMs + (number * 1000) / rate - performance.now();
  if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs));
  asking.push(ask(number));
}
await Promise.all(asking);
await client.close();
print();

async function ask(number) {
  const isWrong = wrongEvery > 0 && number % wrongEvery === 0;
  const askedMs = performance.now();
  try {
    const player = `player-${String(number % players).padStart(5, "0")}`;
    const answer = await client.getOffer(player, isWrong ? { offerIds: ["no-such-offer"] } : {});
    sources[answer.source] += 1;
    if (answer.source === "local") {
      const [reason] = answer.reason.split(":");
      tally.lastReason = answer.reason;
      tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1;
    }
    if (number < outcomes && answer.decisionId) {
      client.reportOutcome({ outcomeId: `${answer.decisionId}-shown`, decisionId: answer.decisionId, kind: "SHOWN" });
    }
  } catch (error) {
    if (error instanceof WrongRequestError) tally.wrong += 1;
    else {
      console.error(error);
      tally.exceptions += 1;
    }
  }
  const tookMs = performance.now() - askedMs;
  tally.timesMs.push(tookMs);
  if (tookMs > deadlineMs + LATE_MS) tally.late += 1;
}

function print() {
  const times = tally.timesMs.length ? Float64Array.from(tally.timesMs).sort() : [0];
  const at = (share) => Math.round(times[Math.floor(share * (times.length - 1))] * 100) / 100;
  const { taken, dropped } = client.outcomes;
  console.log(JSON.stringify({
    event: "done", calls, returned: tally.timesMs.length, late: tally.late, exceptions: tally.exceptions,
    wrong_requests: tally.wrong, sources, local_reasons: tally.reasons, last_local_reason: tally.lastReason,
    p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), outcomes_taken: taken, outcomes_dropped: dropped,
  }));
}
