import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { AnswerTimes, HedgeBudget, WINDOW } from "../src/hedging.js";
import { FAILURES, Health, PROBE_MS } from "../src/health.js";
import { choose, fnv1a, mostOpen, ordered, rank } from "../src/preference.js";

const vectors = JSON.parse(readFileSync(new URL("../../conformance/preference.json", import.meta.url), "utf8"));
const hex = (value) => value.toString(16).padStart(16, "0");

test("hashes, ranks, orders and bounds are those of all clients", () => {
  for (const [text, hash] of Object.entries(vectors.hashes)) assert.equal(hex(fnv1a(text)), hash, text);
  for (const one of vectors.ranks) assert.equal(hex(rank(fnv1a(one.address), fnv1a(one.player))), one.rank);
  for (const { player, order } of vectors.orders) {
    const all = [...order].sort().map((address) => ({ address, hash: fnv1a(address) }));
    assert.deepEqual(ordered(player, all).map(({ address }) => address), order);
  }
  for (const one of vectors.most_open) assert.equal(mostOpen(one.total, one.supervisors), one.most_open);
});

test("the first choice that is not overloaded gets the question", () => {
  const [a, b, c] = [36, 12, 0].map((openQuestions) => ({ openQuestions }));
  assert.equal(choose([a, b, c], () => true), b); // at most ceil(1.25 x 49 / 3) = 21
  assert.equal(choose([a, b, c], (one) => one === a), a);
  assert.equal(choose([a, b, c], () => false), undefined);
});

test("a supervisor without any answer is stalled after four times the p95, and is reported once", () => {
  const health = new Health();
  assert.equal(health.checkStall(40, 0, 10), false);
  assert.equal(health.checkStall(40.1, 0, 10), true);
  assert.equal(health.checkStall(41, 0, 10), false);
});

test("a stalled supervisor gets a probe now and then until it answers", () => {
  const health = new Health();
  health.checkStall(1000, 0, 10);
  assert.equal(health.takesProbe(1000 + PROBE_MS / 2), false);
  assert.equal(health.takesProbe(1000 + PROBE_MS), true);
  assert.equal(health.takesProbe(1000 + PROBE_MS), false);
  health.recordAnswer(2000);
  assert.equal(health.isStalled, false);
});

test("failures in a row eject for longer each time", () => {
  const health = new Health();
  const pausesMs = [];
  for (let nowMs = 0, round = 0; round < 8; round += 1) {
    for (let i = 0; i < FAILURES; i += 1) health.recordFailure(nowMs);
    pausesMs.push(health.ejectedUntilMs - nowMs);
    nowMs = health.ejectedUntilMs;
    assert.equal(health.isEjected(nowMs), false);
  }
  assert.deepEqual(pausesMs, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test("the p95 follows the last answers", () => {
  const times = new AnswerTimes(75);
  for (let i = 0; i < 31; i += 1) times.record(1);
  assert.equal(times.p95Ms, 75);
  for (let i = 0; i < 10 * WINDOW; i += 1) times.record(i % 10 === 0 ? 50 : 2);
  assert.equal(times.p95Ms, 50);
});

test("hedges are a share of the requests, and fewer if they are of no use", () => {
  const shared = JSON.parse(readFileSync(new URL("../../conformance/hedging.json", import.meta.url), "utf8"));
  const hedgesOf = (areUseful) => {
    const budget = new HedgeBudget(shared.percent);
    let hedges = 0;
    for (let i = 0; i < shared.requests; i += 1) {
      budget.recordRequest();
      if (!budget.take()) continue;
      hedges += 1;
      if (!areUseful) budget.recordUseless();
    }
    return hedges;
  };
  assert.ok(Math.abs(hedgesOf(true) - shared.hedges_if_all_are_first) <= 2, String(hedgesOf(true)));
  assert.ok(Math.abs(hedgesOf(false) - shared.hedges_if_none_is_first) <= 2, String(hedgesOf(false)));
  assert.equal(new HedgeBudget(0).take(), false);
});
