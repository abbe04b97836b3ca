// A link: one connection to a supervisor with one stream of questions, opened again after each end.
import grpc from "@grpc/grpc-js";
import { connect, openOffers } from "./connection.js";

const MOST_UNANSWERED = 256; // of one stream; a supervisor reads no more
const CONNECT_MS = 2000;
const AT_ONCE_MS = 20;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1000;
const STEADY_MS = 5000; // a stream that lasted so long was a success
const { OK, CANCELLED, RESOURCE_EXHAUSTED, UNAVAILABLE } = grpc.status;

/**
 * The owner gets each request back exactly once, by `onResponse(response)` or `onEnd(ids, failure, isOverload)`; `onUp()`
 * means that the link is up.
 */
export class Link {
  constructor(address, security, owner, warn) {
    this.address = address;
    this.security = security;
    this.owner = owner;
    this.warn = warn;
    this.unanswered = new Set();
    this.isUp = false;
    this.isClosed = false;
    this.failures = 0;
    this.logged = "";
    this.open();
  }

  get isUsable() {
    return this.isUp && this.unanswered.size < MOST_UNANSWERED;
  }

  /** Sends the bytes of a request; the link must be usable. */
  send(id, encoded) {
    this.unanswered.add(id);
    this.stream.write(encoded);
  }

  close() {
    this.isClosed = true;
    this.isUp = false;
    clearTimeout(this.timer);
    this.stream?.cancel();
    this.connection?.close();
    this.report("", false);
  }

  open() {
    const session = { beganMs: performance.now(), hasAnswered: false, isEnded: false };
    try {
      this.connection = connect(this.address, this.security);
    } catch (error) {
      this.end(session, UNAVAILABLE, error.message);
      return;
    }
    // The stream is opened at once, because only its end has the reason of a connection that fails.
    this.stream = openOffers(this.connection);
    this.stream.on("data", (response) => this.take(session, response));
    this.stream.on("error", (error) => this.end(session, error.code ?? UNAVAILABLE, error.details || error.message));
    this.stream.on("status", (status) => this.end(session, status.code, status.details));
    this.connection.waitForReady(Date.now() + CONNECT_MS, (late) => this.settle(session, late));
  }

  /** The connection is up, or late. */
  settle(session, late) {
    if (this.isClosed || session.isEnded) return;
    if (late) {
      this.end(session, UNAVAILABLE, `no connection within ${CONNECT_MS / 1000} s`);
      return;
    }
    this.isUp = true;
    this.owner.onUp();
  }

  take(session, response) {
    session.hasAnswered = true;
    this.logged = "";
    this.unanswered.delete(response.request_id);
    this.owner.onResponse(response);
  }

  end(session, code, text) {
    if (session.isEnded) return;
    session.isEnded = true;
    this.isUp = false;
    this.stream?.cancel();
    this.connection?.close();
    if (this.isClosed) return;
    const failure = code === OK ? "" : `${grpc.status[code]}: ${text}`;
    this.report(failure, !session.hasAnswered && (code === CANCELLED || code === RESOURCE_EXHAUSTED));
    this.failures = !failure || performance.now() - session.beganMs > STEADY_MS ? 0 : this.failures + 1;
    this.log(failure);
    this.timer = setTimeout(() => this.open(), pauseMs(this.failures)).unref();
  }

  report(failure, isOverload) {
    const lost = [...this.unanswered];
    this.unanswered.clear();
    this.owner.onEnd(lost, failure, isOverload);
  }

  /** Warns of each failure once, until an answer has come. */
  log(failure) {
    if (!failure || failure === this.logged) return;
    this.logged = failure;
    this.warn(`no connection to the supervisor at ${this.address}: ${failure}`);
  }
}

function pauseMs(failures) {
  if (!failures) return Math.random() * AT_ONCE_MS;
  return (0.5 + Math.random() / 2) * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
}
