// The client: asks the supervisor of the player, another one if that fails, and answers by itself at the deadline.
import { randomBytes } from "node:crypto";
import grpc from "@grpc/grpc-js";
import { follow, parseTargets } from "./addresses.js";
import { local, ofResponse } from "./answer.js";
import { WRONG_CODES, WrongRequestError } from "./errors.js";
import { AnswerTimes, HedgeBudget } from "./hedging.js";
import { OutcomeReports } from "./outcomes.js";
import { choose, ordered } from "./preference.js";
import { bytesOf } from "./request.js";
import { Supervisor } from "./supervisor.js";

const MOST_SENDINGS = 4; // of one question, with its hedge
const TICK_MS = 10; // between two looks for stalled supervisors
const FIRST_HEDGE_SHARE = 0.3; // of the deadline, until the p95 is learnt
const MOST_WAITING = 10_000;
const CLOSED = "the client is closed";
const NOT_CONNECTED = "no supervisor is connected";
const NOT_IN_TIME = "no answer in time";
const CONNECTION_LOST = "the connection was lost";

export class OfferClient {
  constructor(targets, options) {
    const { game, fallback, deadlineMs = 250, security, links = 2, hedgePercent = 2, warn = console.warn } = options ?? {};
    if (!game || !fallback) throw new TypeError("options: game and fallback are required");
    Object.assign(this, { game, fallback, deadlineMs, security, links, warn });
    this.supervisors = new Map();
    this.leaving = new Map(); // supervisors that are closed after their last answers, and the timer
    this.open = new Set();
    this.waiting = new Set(); // no supervisor is connected and has room
    this.isClosed = false;
    this.lastFailure = ""; // of a connection, since the last answer
    this.times = new AnswerTimes(FIRST_HEDGE_SHARE * deadlineMs);
    this.budget = new HedgeBudget(hedgePercent);
    this.prefix = `${randomBytes(6).toString("hex")}-`;
    this.number = 0;
    this.isUp = new Promise((done) => { this.markUp = done; });
    this.reports = new OutcomeReports(game, () => this.anyConnected(), security, warn);
    this.stopFollowing = follow(parseTargets(targets), (found) => this.onAddresses(found));
    this.ticker = setInterval(() => this.checkStalls(), TICK_MS).unref();
  }

  async connected(withinMs = 5000) {
    let timer;
    const late = new Promise((done) => { timer = setTimeout(done, withinMs, false); });
    return Promise.race([this.isUp.then(() => true), late]).finally(() => clearTimeout(timer));
  }

  getOffer(playerId, question = {}) {
    const withinMs = question.deadlineMs ?? this.deadlineMs;
    return new Promise((resolve, reject) => {
      this.number += 1;
      const id = this.prefix + this.number;
      const one = {
        id,
        playerId: String(playerId),
        encoded: bytesOf(this.game, id, playerId, question, withinMs),
        preference: null,
        asked: new Map(), // supervisors that have not answered, and the time of the sending
        sendings: 0,
        hedged: undefined, // the supervisor that got a copy because the first was slow
        isOpen: true,
        resolve,
        reject,
      };
      if (this.isClosed) {
        resolve(local(this.fallback, CLOSED));
        return;
      }
      this.open.add(one);
      one.expiry = setTimeout(() => this.expire(one), withinMs);
      one.hedging = setTimeout(() => this.hedge(one), this.times.p95Ms);
      this.budget.recordRequest();
      this.ask(one);
    });
  }

  reportOutcome(outcome) {
    this.reports.add(outcome);
  }

  get outcomes() {
    return { taken: this.reports.taken, waiting: this.reports.waiting.size, dropped: this.reports.dropped };
  }

  async close() {
    await this.reports.close();
    this.isClosed = true;
    for (const question of [...this.open]) this.settle(question, local(this.fallback, CLOSED));
    this.stopFollowing();
    clearInterval(this.ticker);
    for (const one of this.supervisors.values()) one.close();
    for (const [one, timer] of this.leaving) {
      clearTimeout(timer);
      one.close();
    }
  }

  // Events of the supervisors.

  onUp() {
    this.markUp();
    this.onRoom();
  }

  /** Asks the questions that wait, the oldest first, while a supervisor has room. */
  onRoom() {
    for (const question of this.waiting) {
      if (![...this.supervisors.values()].some((one) => one.isConnected)) return;
      this.waiting.delete(question);
      this.ask(question);
    }
  }

  onResponse(supervisor, question, response) {
    const nowMs = performance.now();
    const askedMs = question.asked.get(supervisor);
    question.asked.delete(supervisor);
    this.lastFailure = "";
    const { error } = response;
    if (!error?.code) {
      supervisor.health.recordSuccess();
      this.times.record(nowMs - askedMs);
      if (question.hedged && question.hedged !== supervisor) this.budget.recordUseless();
      this.settle(question, ofResponse(response, this.fallback));
    } else if (WRONG_CODES.has(error.code)) {
      supervisor.health.recordSuccess();
      this.end(question, () => question.reject(new WrongRequestError(error.code, error.message)));
    } else if (error.code === grpc.status.RESOURCE_EXHAUSTED) {
      this.refuse(question, error.message);
    } else {
      supervisor.health.recordFailure(nowMs);
      this.askAgain(question, supervisor, error.message);
    }
  }

  onLost(supervisor, question, isOverload) {
    question.asked.delete(supervisor);
    if (isOverload) this.refuse(question, "the supervisor refused the stream");
    else this.askAgain(question, supervisor, this.because(CONNECTION_LOST));
  }

  /** A connection failed: the reason of local answers, until a supervisor answers. */
  onFailure(failure) {
    this.lastFailure = failure;
  }

  // Asking.

  ask(question, but) {
    const nowMs = performance.now();
    question.preference ??= ordered(question.playerId, this.supervisors.values());
    const first =
      this.choose(question, nowMs, but) ??
      this.choose(question, nowMs) ??
      choose(question.preference, (one) => one.isConnected); // when every supervisor is slow, the network is the cause
    if (!first) {
      this.wait(question);
      return;
    }
    first.ask(question, nowMs);
    this.probe(question, nowMs);
  }

  choose(question, nowMs, but) {
    return choose(question.preference, (one) => one !== but && !question.asked.has(one) && one.isUsable(nowMs));
  }

  askAgain(question, but, why) {
    if (!question.isOpen || question.asked.size) return; // another supervisor has it
    if (question.sendings >= MOST_SENDINGS) this.settle(question, local(this.fallback, why));
    else this.ask(question, but);
  }

  /** Overload is not retried; but another supervisor that has the question may answer. */
  refuse(question, why) {
    if (!question.asked.size) this.settle(question, local(this.fallback, `overloaded: ${why}`));
  }

  wait(question) {
    question.preference = null; // other supervisors may be known when it is asked
    if (this.waiting.size < MOST_WAITING) this.waiting.add(question);
    else this.settle(question, local(this.fallback, this.because(NOT_CONNECTED)));
  }

  /** Sends a copy to a stalled supervisor now and then: its answer shows that it works again. */
  probe(question, nowMs) {
    const isDue = (one) => one.isConnected && !question.asked.has(one) && one.health.takesProbe(nowMs);
    question.preference.find(isDue)?.ask(question, nowMs);
  }

  hedge(question) {
    if (question.asked.size !== 1 || question.sendings >= MOST_SENDINGS) return;
    const nowMs = performance.now();
    const second = this.choose(question, nowMs);
    if (second && this.budget.take()) {
      question.hedged = second;
      second.ask(question, nowMs);
    }
  }

  /** Takes the questions of a stalled supervisor to the others. */
  checkStalls() {
    const nowMs = performance.now();
    for (const supervisor of this.supervisors.values()) {
      for (const question of supervisor.stalledQuestions(nowMs, this.times.p95Ms)) {
        const other = this.choose(question, nowMs, supervisor);
        if (other && question.sendings < MOST_SENDINGS) other.ask(question, nowMs);
      }
    }
  }

  // Ending.

  expire(question) {
    const nowMs = performance.now();
    for (const supervisor of question.asked.keys()) supervisor.health.recordFailure(nowMs);
    const why = this.because(question.asked.size ? NOT_IN_TIME : NOT_CONNECTED);
    this.settle(question, local(this.fallback, why));
  }

  because(why) {
    return this.lastFailure ? `${why}: ${this.lastFailure}` : why;
  }

  settle(question, answer) {
    this.end(question, () => question.resolve(answer));
  }

  end(question, report) {
    if (!question.isOpen) return;
    question.isOpen = false;
    clearTimeout(question.expiry);
    clearTimeout(question.hedging);
    this.open.delete(question);
    this.waiting.delete(question);
    for (const supervisor of question.asked.keys()) supervisor.forget(question);
    report();
  }

  // The supervisors.

  onAddresses(found) {
    for (const address of found) {
      if (!this.supervisors.has(address)) {
        this.supervisors.set(address, new Supervisor(address, this.links, this.security, this, this.warn));
      }
    }
    for (const [address, one] of this.supervisors) {
      if (found.has(address)) continue;
      this.supervisors.delete(address);
      const close = () => {
        this.leaving.delete(one);
        one.close();
      };
      this.leaving.set(one, setTimeout(close, this.deadlineMs).unref());
    }
  }

  anyConnected() {
    const nowMs = performance.now();
    const usable = [...this.supervisors.values()].filter((one) => one.isUsable(nowMs));
    return usable[Math.floor(Math.random() * usable.length)]?.address;
  }
}
