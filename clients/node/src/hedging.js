// When to ask a second supervisor: after the learnt p95 of the time of an answer, within a budget.
export const WINDOW = 256; // answers from which the p95 is learnt
const LEARN_EVERY = 32;
const MOST_SAVED = 10; // hedges that a quiet time may save for later
const USELESS_COST = 8; // a hedge that is not answered first costs as much as 8 hedges that are

/** Learns the p95 of the time of an answer, in milliseconds; `firstMs` until there are enough answers. */
export class AnswerTimes {
  constructor(firstMs) {
    this.p95Ms = firstMs;
    this.timesMs = [];
    this.count = 0;
  }

  record(timeMs) {
    this.timesMs[this.count % WINDOW] = timeMs;
    this.count += 1;
    if (this.count % LEARN_EVERY === 0) {
      const sorted = Float64Array.from(this.timesMs).sort();
      this.p95Ms = sorted[Math.floor(0.95 * sorted.length)];
    }
  }
}

/**
 * Allows hedges for `percent` of the requests if each is answered first, and for an eighth of that if none is. A hedge costs the
 * second supervisor a read of the player, so hedges become rare while they do not help.
 */
export class HedgeBudget {
  constructor(percent) {
    this.share = percent / 100;
    this.tokens = percent > 0 ? 1 : 0;
  }

  recordRequest() {
    this.tokens = Math.min(MOST_SAVED, this.tokens + this.share);
  }

  take() {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /** Another supervisor has answered before the hedge. */
  recordUseless() {
    this.tokens -= USELESS_COST - 1;
  }
}
