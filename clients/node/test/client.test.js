// The client against scripted supervisors on real sockets.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { addressesOf, parseTargets } from "../src/addresses.js";
import { connect } from "../src/connection.js";
import { OfferClient, WrongRequestError } from "../src/index.js";
import { ordered } from "../src/preference.js";

const LONG_MS = 20_000; // a deadline that no answer needs
const MOST_UNANSWERED = 256;
const CONTRACT = fileURLToPath(new URL("../src/offers.proto", import.meta.url));
const { mesh } = grpc.loadPackageDefinition(
  loader.loadSync(CONTRACT, { keepCase: true, longs: Number, enums: String, oneofs: true }),
);
const best = ({ request_id }) =>
  ({ request_id, source: "ENSEMBLE", decision_id: "d", offers: [{ offer_id: "best", score: 0 }, { offer_id: "next" }] });
const never = () => undefined;

/** A supervisor that answers each request with what `answer` returns, or its promise; undefined: never. */
async function scripted(t, answer) {
  const one = { answer, requests: [], reports: [] };
  const server = new grpc.Server();
  server.addService(mesh.v1.Offers.service, {
    GetOffer: (_, done) => done({ code: grpc.status.UNIMPLEMENTED }),
    StreamOffers: (stream) => {
      stream.on("data", async (request) => {
        one.requests.push(request);
        const response = await one.answer(request);
        if (response) stream.write(response);
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => {});
    },
    StreamOutcomes: (stream) => {
      stream.on("data", (report) => {
        one.reports.push(report.outcome_id);
        stream.write({});
      });
      stream.on("end", () => stream.end());
      stream.on("error", () => {});
    },
  });
  const port = await new Promise((done, fail) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? fail(error) : done(bound)));
  });
  one.address = `127.0.0.1:${port}`;
  t.after(() => server.forceShutdown());
  return one;
}

async function asking(t, supervisors, options = {}) {
  const targets = supervisors.map(({ address }) => address);
  const client = new OfferClient(targets, { game: "g", fallback: "mine", deadlineMs: LONG_MS, warn() {}, ...options });
  t.after(() => client.close());
  await until(() => client.supervisors.size && [...client.supervisors.values()].every((one) => one.isConnected));
  return client;
}

async function until(isTrue) {
  while (!isTrue()) await sleep(2);
}

test("an answer has its offers, and no score where the mesh gave none", async (t) => {
  const client = await asking(t, [await scripted(t, best)]);
  const { offers, source, decisionId } = await client.getOffer("p", { context: { level: 1, vip: true, platform: "ios" } });
  assert.deepEqual([source, decisionId], ["ensemble", "d"]);
  assert.deepEqual(offers, [
    { offerId: "best", score: 0, expectedRevenue: undefined },
    { offerId: "next", score: undefined, expectedRevenue: undefined },
  ]);
});

test("questions that found no room are asked when there is room", async (t) => {
  let open;
  const gate = new Promise((done) => { open = done; });
  const one = await scripted(t, (request) => gate.then(() => best(request)));
  const client = await asking(t, [one], { links: 1, hedgePercent: 0 });
  const asked = Array.from({ length: MOST_UNANSWERED + 20 }, (_, number) => client.getOffer(`player-${number}`));
  await until(() => one.requests.length >= MOST_UNANSWERED);
  assert.equal(one.requests.length, MOST_UNANSWERED);
  open();
  const sources = new Set((await Promise.all(asked)).map(({ source }) => source));
  assert.deepEqual([...sources], ["ensemble"]);
});

test("closing answers the questions that were sent, and a closed client answers at once", async (t) => {
  const one = await scripted(t, never);
  const client = await asking(t, [one]);
  const asked = client.getOffer("p");
  await until(() => one.requests.length);
  await client.close();
  for (const answer of [await asked, await client.getOffer("p")]) {
    assert.deepEqual([answer.offerId, answer.source, answer.reason], ["mine", "local", "the client is closed"]);
  }
});

test("a supervisor that leaves gives its questions to another", async (t) => {
  const [one, other] = [await scripted(t, never), await scripted(t, best)];
  const client = await asking(t, [one, other], { hedgePercent: 0 });
  const [first] = [...client.supervisors.values()].filter(({ address }) => address === one.address);
  const player = Array.from({ length: 100 }, (_, number) => `player-${number}`)
    .find((id) => ordered(id, client.supervisors.values())[0] === first);
  const asked = client.getOffer(player);
  await until(() => one.requests.length);
  client.supervisors.delete(one.address);
  first.close();
  assert.equal((await asked).source, "ensemble");
});

test("a silent mesh gives the fallback at the deadline", async (t) => {
  const client = await asking(t, [await scripted(t, never)], { deadlineMs: 100 });
  const { offerId, source, reason } = await client.getOffer("p");
  assert.deepEqual([offerId, source, reason], ["mine", "local", "no answer in time"]);
});

test("a request that cannot be encoded is wrong and loses no other question", async (t) => {
  const one = await scripted(t, best);
  const client = await asking(t, [one]);
  await assert.rejects(client.getOffer("p", { offerIds: "gems" }), WrongRequestError);
  await assert.rejects(client.getOffer("p", { offerIds: 5 }), WrongRequestError);
  await assert.rejects(client.getOffer("\ud800"), WrongRequestError);
  await assert.rejects(client.getOffer("p", { context: { level: [1] } }), WrongRequestError);
  assert.equal((await client.getOffer("p")).source, "ensemble");
  assert.equal(one.requests.length, 1);
});

test("an answer without an offer gives the fallback", async (t) => {
  const client = await asking(t, [await scripted(t, ({ request_id }) => ({ request_id }))]);
  const { source, reason } = await client.getOffer("p");
  assert.deepEqual([source, reason], ["local", "the answer has no offer"]);
});

test("a refused copy does not take the question from the other supervisor", async (t) => {
  let open;
  const gate = new Promise((done) => { open = done; });
  const one = await scripted(t, (request) => gate.then(() => best(request)));
  const other = await scripted(t, ({ request_id }) => {
    setTimeout(open, 50);
    return { request_id, error: { code: grpc.status.RESOURCE_EXHAUSTED, message: "busy" } };
  });
  const client = await asking(t, [one, other], { hedgePercent: 100 });
  client.times.p95Ms = 10;
  const player = Array.from({ length: 100 }, (_, number) => `player-${number}`)
    .find((id) => ordered(id, client.supervisors.values())[0].address === one.address);
  assert.equal((await client.getOffer(player)).source, "ensemble");
});

test("a name that cannot be looked up keeps its addresses", async () => {
  const [target] = parseTargets("a.games:9000");
  const found = async () => [{ address: "10.0.0.1" }];
  const fails = async () => { throw new Error("not now"); };
  for (const look of [found, fails]) assert.deepEqual(await addressesOf(target, look), ["10.0.0.1:9000"]);
});

test("outcomes are taken, and one that cannot be encoded is refused at once", async (t) => {
  const one = await scripted(t, best);
  const client = await asking(t, [one]);
  assert.throws(() => client.reportOutcome({ kind: "SHOWN" }), TypeError);
  for (let number = 0; number < 250; number += 1) client.reportOutcome({ outcomeId: `t${number}`, kind: "SHOWN" });
  await until(() => client.outcomes.taken === 250);
  assert.deepEqual(client.outcomes, { taken: 250, waiting: 0, dropped: 0 });
});

test("a local answer has the reason of the last failure", async (t) => {
  const server = new grpc.Server();
  const refuse = (stream) => {
    stream.on("error", () => {});
    stream.emit("error", { code: grpc.status.PERMISSION_DENIED, details: "lobby may not call StreamOffers" });
  };
  server.addService(mesh.v1.Offers.service, { GetOffer: () => {}, StreamOffers: refuse, StreamOutcomes: refuse });
  const port = await new Promise((done) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, bound) => done(bound));
  });
  t.after(() => server.forceShutdown());
  for (const [address, expected] of [
    [`127.0.0.1:${port}`, `127.0.0.1:${port}: PERMISSION_DENIED: lobby may not call StreamOffers`],
    ["127.0.0.1:1", "no supervisor is connected: 127.0.0.1:1: UNAVAILABLE: "],
  ]) {
    const client = new OfferClient(address, { game: "g", fallback: "mine", deadlineMs: 300, warn() {} });
    const { source, reason } = await client.getOffer("p");
    await client.close();
    assert.equal(source, "local");
    assert.ok(reason.includes(expected), reason);
  }
});

test("a missing file is reported", () => {
  assert.throws(() => connect("127.0.0.1:1", { ca: "no-such-file.pem" }), /no-such-file.pem/);
});
