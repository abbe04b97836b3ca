// Reports of outcomes, sent in the background over one stream and repeated until a supervisor has taken them.
import grpc from "@grpc/grpc-js";
import { connect, encodedReport, openOutcomes } from "./connection.js";
import { WRONG_CODES } from "./errors.js";

const MOST_WAITING = 10_000;
const BATCH = 100; // reports without an answer on the stream
const ANSWER_MS = 5000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;
const CLOSE_MS = 1000;
const MOST_LOGGED = 20; // reasons

/** `address()` returns the address of a connected supervisor, or undefined. */
export class OutcomeReports {
  constructor(game, address, security, warn) {
    this.game = game;
    this.address = address;
    this.security = security;
    this.warn = warn;
    this.waiting = new Set(); // in the order of their arrival
    this.taken = 0;
    this.dropped = 0;
    this.failures = 0;
    this.isSending = false;
    this.isClosed = false;
    this.logged = new Set();
  }

  add(outcome) {
    if (!outcome.outcomeId) {
      throw new TypeError("outcomeId: is missing; give the id of the transaction, or DECISION_ID-shown");
    }
    const report = { encoded: encodedReport(wireReport(this.game, outcome)) }; // an object: equal reports stay two
    if (this.waiting.size >= MOST_WAITING) {
      this.waiting.delete(this.waiting.values().next().value);
      this.dropped += 1;
    }
    this.waiting.add(report);
    if (!this.isSending) this.send();
  }

  /** Sends all reports; after a failure, again after a pause. */
  async send() {
    this.isSending = true;
    try {
      do {
        await this.sendAll();
        this.failures = 0;
      } while (this.waiting.size); // added while the stream was closed
      this.isSending = false;
    } catch (error) {
      this.failures += 1;
      if (error.message && !this.isClosed) this.logOnce(`outcomes wait: ${error.message}`);
      const longestMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 10));
      if (!this.isClosed) this.timer = setTimeout(() => this.send(), (0.5 + Math.random() / 2) * longestMs).unref();
    }
  }

  /** Waits until all reports are taken, for a second at most. */
  async close() {
    const limitMs = performance.now() + CLOSE_MS;
    while (this.waiting.size && performance.now() < limitMs) await new Promise((done) => setTimeout(done, 10));
    this.isClosed = true;
    clearTimeout(this.timer);
    if (this.waiting.size) this.warn(`${this.waiting.size} outcomes were not reported`);
  }

  async sendAll() {
    const address = this.address();
    if (address === undefined) throw new Error(""); // the links log why
    try {
      await this.sendAllTo(address);
    } catch (error) {
      throw new Error(`${address}: ${reasonOf(error)}`, { cause: error });
    }
  }

  async sendAllTo(address) {
    const connection = connect(address, this.security);
    const stream = openOutcomes(connection);
    const responses = readerOf(stream);
    try {
      while (this.waiting.size) await this.sendBatch(stream, responses);
      stream.end();
    } finally {
      stream.cancel();
      connection.close();
    }
  }

  async sendBatch(stream, responses) {
    const batch = [...this.waiting].slice(0, BATCH);
    let fault;
    for (const report of batch) stream.write(report.encoded);
    for (const report of batch) {
      const { error } = await responses.next();
      if (error?.code && !WRONG_CODES.has(error.code)) {
        fault = Object.assign(new Error(error.message), { code: error.code });
        continue;
      }
      this.waiting.delete(report);
      if (error?.code) this.logOnce(`outcomes are dropped, because the mesh calls them wrong: ${error.message}`);
      else this.taken += 1;
    }
    if (fault) throw fault;
  }

  logOnce(text) {
    if (this.logged.has(text) || this.logged.size >= MOST_LOGGED) return;
    this.logged.add(text);
    this.warn(text);
  }
}

/** Returns the status and the text of an error; one without a status is UNAVAILABLE. */
function reasonOf(error) {
  return `${grpc.status[error.code] ?? "UNAVAILABLE"}: ${error.details || error.message}`;
}

/** Returns an object whose `next()` waits for a response, for ANSWER_MS at most. */
function readerOf(stream) {
  const ready = [];
  let waiting;
  let failure;
  const wake = () => {
    const one = waiting;
    waiting = undefined;
    one?.();
  };
  stream.on("data", (response) => { ready.push(response); wake(); });
  stream.on("error", (error) => { failure ??= error; wake(); });
  stream.on("end", () => { failure ??= new Error("the supervisor ended the stream"); wake(); });
  return {
    async next() {
      if (!ready.length && !failure) {
        let timer;
        await new Promise((done, fail) => {
          waiting = done;
          timer = setTimeout(() => fail(new Error("no answer in time")), ANSWER_MS).unref();
        }).finally(() => clearTimeout(timer));
      }
      if (ready.length) return ready.shift();
      throw failure;
    },
  };
}

function wireReport(game, outcome) {
  return {
    game,
    outcome_id: outcome.outcomeId,
    decision_id: outcome.decisionId,
    request_id: outcome.requestId,
    kind: outcome.kind,
    offer_id: outcome.offerId,
    value: outcome.value,
    currency: outcome.currency,
    time_ms: outcome.timeMs,
  };
}
