package ensemblemesh.client;

/** Allows hedges for a percentage of the requests. */
final class HedgeBudget {
  private static final double MOST_SAVED = 10; // hedges that a quiet time may save for later
  private final double share;
  private double tokens = 1;

  HedgeBudget(double percent) {
    share = percent / 100;
  }

  void recordRequest() {
    tokens = Math.min(MOST_SAVED, tokens + share);
  }

  boolean take() {
    if (tokens < 1) {
      return false;
    }
    tokens -= 1;
    return true;
  }
}
