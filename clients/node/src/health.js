// The health of one supervisor, as its answers show it. Times are monotonic, in milliseconds.
const STALL_FACTOR = 4; // a supervisor that answers nothing for this multiple of the p95 is stalled
export const SHORTEST_STALL_MS = 25;
const LONGEST_STALL_MS = 500;
export const PROBE_MS = 250; // a stalled supervisor gets a copy of a request so often
export const FAILURES = 5; // in a row, until a supervisor is ejected
const FIRST_EJECTION_MS = 1000;
const LONGEST_EJECTION_MS = 30_000;

/** Stalled: open requests, and no answer at all. Ejected: requests in a row failed or got no answer. */
export class Health {
  constructor() {
    this.isStalled = false;
    this.answeredMs = -Infinity;
    this.failures = 0;
    this.ejections = 0;
    this.ejectedUntilMs = -Infinity;
    this.probedMs = -Infinity;
  }

  isEjected(nowMs) {
    return nowMs < this.ejectedUntilMs;
  }

  /** Any answer, also a late one, shows that the supervisor works. */
  recordAnswer(nowMs) {
    this.answeredMs = nowMs;
    this.isStalled = false;
  }

  recordSuccess() {
    this.failures = this.ejections = 0;
  }

  /** Counts a request that failed or got no answer before its deadline. */
  recordFailure(nowMs) {
    this.failures += 1;
    if (this.failures >= FAILURES) {
      this.ejectedUntilMs = nowMs + Math.min(LONGEST_EJECTION_MS, FIRST_EJECTION_MS * 2 ** this.ejections);
      this.failures = 0;
      this.ejections += 1;
    }
  }

  /** The supervisor behind a new connection may be another process. */
  recordConnection() {
    this.isStalled = false;
    this.failures = 0;
    this.ejectedUntilMs = -Infinity;
  }

  /** Returns whether it has stalled since the last check; its oldest request began at `oldestMs` (undefined: none). */
  checkStall(nowMs, oldestMs, p95Ms) {
    if (this.isStalled || oldestMs === undefined) return false;
    const limitMs = Math.min(LONGEST_STALL_MS, Math.max(SHORTEST_STALL_MS, STALL_FACTOR * p95Ms));
    this.isStalled = nowMs - Math.max(oldestMs, this.answeredMs) > limitMs;
    this.probedMs = nowMs;
    return this.isStalled;
  }

  /** Returns whether the stalled supervisor should get a copy of the next request; counts it if so. */
  takesProbe(nowMs) {
    if (!this.isStalled || nowMs - this.probedMs < PROBE_MS) return false;
    this.probedMs = nowMs;
    return true;
  }
}
