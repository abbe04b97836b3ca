package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferRequest;
import ensemblemesh.offers.v1.ReportOutcomeRequest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Asks the supervisors: the one of the player, another one if that fails, and answers by itself at the deadline. Create one when
 * your program starts, and keep it; it is safe for concurrent use.
 */
public final class OfferClient implements AutoCloseable {
  private static final long TICK_MS = 10; // between two looks for stalled supervisors

  final Supervisors supervisors;
  private final String game;
  private final Duration deadline;
  private final String prefix;
  private final AtomicLong number = new AtomicLong();
  private final ClientThreads threads = new ClientThreads();
  private final Asking asking;
  private final OutcomeReports outcomes;

  OfferClient(OfferClientBuilder options) {
    game = options.game;
    deadline = options.deadline;
    byte[] random = new byte[6];
    new SecureRandom().nextBytes(random);
    prefix = HexFormat.of().formatHex(random) + "-";
    asking = new Asking(options, threads);
    supervisors = asking.supervisors;
    outcomes = new OutcomeReports(supervisors::anyUsable, options.security);
  }

  /** Starts a client for a game; {@code fallback} is the offer to show if the mesh does not answer in time. */
  public static OfferClientBuilder forGame(String game, String fallback) {
    return new OfferClientBuilder(game, fallback);
  }

  /**
   * Asks for the best offers of a player. The future completes by the deadline, with an offer to show; the only exception is a
   * {@link WrongRequestException}.
   */
  public CompletableFuture<Answer> getOffer(Question ask) {
    Duration within = ask.deadline == null ? deadline : ask.deadline;
    GetOfferRequest.Builder request = ask.request.clone().setGame(game).setDeadlineMs((int) Math.max(1, within.toMillis()));
    OpenQuestion question = new OpenQuestion(request.setRequestId(prefix + number.incrementAndGet()).build());
    threads.locked(() -> asking.begin(question, within.toNanos()));
    return question.answer;
  }

  /** Reports an outcome in the background. Throws IllegalArgumentException if its id is missing; the game may be left out. */
  public void reportOutcome(ReportOutcomeRequest report) {
    outcomes.add(report.getGame().isEmpty() ? report.toBuilder().setGame(game).build() : report);
  }

  /** Returns the number of reports that a supervisor has taken. */
  public long outcomesTaken() {
    return outcomes.taken();
  }

  /** Returns the number of reports that were dropped, because too many waited. */
  public long outcomesDropped() {
    return outcomes.dropped();
  }

  /** Sends the outcomes that wait, for a second at most; answers the open questions; closes all connections. */
  @Override
  public void close() {
    outcomes.close();
    threads.locked(
        () -> {
          threads.markClosed();
          asking.questions.close();
          supervisors.close();
        });
    threads.end();
  }

  void start(Duration within) {
    supervisors.follow();
    threads.every(TICK_MS, asking::checkStalls);
    asking.awaitConnection(within);
  }
}
