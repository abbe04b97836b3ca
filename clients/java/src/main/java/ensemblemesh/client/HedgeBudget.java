package ensemblemesh.client;

/**
 * Allows hedges for a percentage of the requests if each is answered first, and for an eighth of that if none is. A hedge costs
 * the second supervisor a read of the player, so hedges become rare while they do not help.
 */
final class HedgeBudget {
  private static final double MOST_SAVED = 10; // hedges that a quiet time may save for later
  private static final double USELESS_COST = 8; // a hedge that is not answered first costs as much as 8 that are
  private final double share;
  private double tokens;

  HedgeBudget(double percent) {
    share = percent / 100;
    tokens = percent > 0 ? 1 : 0;
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

  /** Another supervisor has answered before the hedge. */
  void recordUseless() {
    tokens -= USELESS_COST - 1;
  }
}
