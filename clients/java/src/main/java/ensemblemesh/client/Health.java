package ensemblemesh.client;

/**
 * The health of one supervisor, as its answers show it. Stalled: open requests, and no answer at all. Ejected: requests in a row
 * failed or got no answer. Times are those of System.nanoTime.
 */
final class Health {
  private static final long MS = 1_000_000;
  private static final int STALL_FACTOR = 4; // a supervisor that answers nothing for this multiple of the p95 is stalled
  private static final long SHORTEST_STALL = 25 * MS;
  private static final long LONGEST_STALL = 500 * MS;
  static final long PROBE = 250 * MS; // a stalled supervisor gets a copy of a request so often
  static final int FAILURES = 5; // in a row, until a supervisor is ejected
  private static final long FIRST_EJECTION = 1_000 * MS;
  private static final long LONGEST_EJECTION = 30_000 * MS;

  private boolean isStalled;
  private boolean hasAnswered;
  private long answered;
  private int failures;
  private int ejections;
  private boolean wasEjected;
  private long ejectedUntil;
  private long probed;

  boolean isStalled() {
    return isStalled;
  }

  boolean isEjected(long now) {
    return wasEjected && now - ejectedUntil < 0;
  }

  /** Any answer, also a late one, shows that the supervisor works. */
  void recordAnswer(long now) {
    hasAnswered = true;
    answered = now;
    isStalled = false;
  }

  void recordSuccess() {
    failures = 0;
    ejections = 0;
  }

  /** Counts a request that failed or got no answer before its deadline. */
  void recordFailure(long now) {
    failures++;
    if (failures >= FAILURES) {
      ejectedUntil = now + Math.min(LONGEST_EJECTION, FIRST_EJECTION << Math.min(ejections, 10));
      wasEjected = true;
      failures = 0;
      ejections++;
    }
  }

  /** The supervisor behind a new connection may be another process. */
  void recordConnection() {
    isStalled = false;
    failures = 0;
    wasEjected = false;
  }

  /** Returns whether it has stalled since the last check; its oldest open request began at {@code oldest}. */
  boolean checkStall(long now, long oldest, long p95) {
    if (isStalled) {
      return false;
    }
    long limit = Math.min(LONGEST_STALL, Math.max(SHORTEST_STALL, STALL_FACTOR * p95));
    long silent = hasAnswered ? Math.min(now - oldest, now - answered) : now - oldest;
    isStalled = silent > limit;
    probed = now;
    return isStalled;
  }

  /** Returns whether the stalled supervisor should get a copy of the next request; counts it if so. */
  boolean takesProbe(long now) {
    if (!isStalled || now - probed < PROBE) {
      return false;
    }
    probed = now;
    return true;
  }
}
