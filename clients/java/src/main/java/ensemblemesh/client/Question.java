package ensemblemesh.client;

import ensemblemesh.offers.v1.ContextValue;
import ensemblemesh.offers.v1.GetOfferRequest;
import java.time.Duration;

/** A question for the offers of a player; the fields are those of GetOfferRequest. Not safe for concurrent use. */
public final class Question {
  final GetOfferRequest.Builder request;
  Duration deadline;

  private Question(String playerId) {
    request = GetOfferRequest.newBuilder().setPlayerId(playerId).setLimit(1);
  }

  /** Starts a question for a player. */
  public static Question forPlayer(String playerId) {
    return new Question(playerId);
  }

  /** Adds a feature that is known only now. */
  public Question context(String name, double number) {
    return context(name, ContextValue.newBuilder().setNumber(number));
  }

  /** Adds a feature that is known only now. */
  public Question context(String name, boolean flag) {
    return context(name, ContextValue.newBuilder().setFlag(flag));
  }

  /** Adds a feature that is known only now. */
  public Question context(String name, String text) {
    return context(name, ContextValue.newBuilder().setText(text));
  }

  /** Adds candidates; none means every offer of the catalog. */
  public Question offers(Iterable<String> ids) {
    request.addAllOfferIds(ids);
    return this;
  }

  /** Sets the number of offers to return (default 1). */
  public Question limit(int limit) {
    request.setLimit(limit);
    return this;
  }

  /** Names the version that answers (default: that of the player). */
  public Question version(String version) {
    request.setVersion(version);
    return this;
  }

  /** Sets the deadline (default: that of the client). */
  public Question within(Duration within) {
    deadline = within;
    return this;
  }

  /** Sets the W3C Trace Context. */
  public Question traceparent(String traceparent) {
    request.setTraceparent(traceparent);
    return this;
  }

  private Question context(String name, ContextValue.Builder value) {
    request.putContext(name, value.build());
    return this;
  }
}
