package ensemblemesh.client;

import java.time.Duration;
import java.util.List;

/** The options of a client; {@link OfferClient#forGame} begins, {@link #connect} ends. */
public final class OfferClientBuilder {
  final String game;
  final String fallback;
  List<String> targets = List.of();
  Duration deadline = Duration.ofMillis(250);
  Security security;
  int links = 2;
  double hedgePercent = 2;
  private Duration connectWithin = Duration.ofSeconds(5);

  OfferClientBuilder(String game, String fallback) {
    if (game == null || game.isEmpty() || fallback == null || fallback.isEmpty()) {
      throw new IllegalArgumentException("game and fallback are required");
    }
    this.game = game;
    this.fallback = fallback;
  }

  /** Sets the deadline of a question (default 250 ms). */
  public OfferClientBuilder deadline(Duration within) {
    deadline = within;
    return this;
  }

  /** Sets TLS and token (default: plaintext). */
  public OfferClientBuilder security(Security files) {
    security = files;
    return this;
  }

  /** Sets the connections to each supervisor (default 2). */
  public OfferClientBuilder links(int count) {
    links = count;
    return this;
  }

  /** Sets the percentage of the questions that may go to a second supervisor (default 2). */
  public OfferClientBuilder hedgePercent(double percent) {
    hedgePercent = percent;
    return this;
  }

  /** Sets how long {@code connect} waits for a connection (default 5 s). */
  public OfferClientBuilder connectWithin(Duration within) {
    connectWithin = within;
    return this;
  }

  /**
   * Connects to supervisors: addresses such as {@code 10.0.0.7:9000}, or names that DNS resolves to all of them. Without a
   * connection, the answers are fallbacks until there is one.
   */
  public OfferClient connect(String... addresses) {
    targets = List.of(addresses);
    OfferClient client = new OfferClient(this);
    client.start(connectWithin);
    return client;
  }
}
