package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferRequest;
import ensemblemesh.offers.v1.GetOfferResponse;
import ensemblemesh.offers.v1.ReportOutcomeRequest;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Asks the supervisors: the one of the player, another one if that fails, and answers by itself at the deadline. Create one when
 * your program starts, and keep it; it is safe for concurrent use.
 */
public final class OfferClient implements AutoCloseable {
  private static final int MOST_SENDINGS = 4; // of one question, with its hedge
  private static final long TICK_MS = 10; // between two looks for stalled supervisors
  private static final long LOOK_UP_MS = 10_000;
  private static final double FIRST_HEDGE_SHARE = 0.3; // of the deadline, until the p95 is learnt
  private static final long FIRST_LOOK_UP_MS = 1_000; // until an address is known
  private static final int MOST_WAITING = 10_000;
  private static final String CLOSED = "the client is closed";
  private static final System.Logger LOG = System.getLogger("ensemblemesh.client");

  final Security security;
  private final String game;
  private final String fallback;
  private final Duration deadline;
  private final int links;
  private final String prefix;
  private final Addresses addresses;
  private final ScheduledThreadPoolExecutor timers;
  private final ExecutorService workers; // completes answers and opens connections: never under the lock
  private final CountDownLatch connected = new CountDownLatch(1);
  private final OutcomeReports outcomes;

  private final ReentrantLock lock = new ReentrantLock(); // guards everything below, and all supervisors and links
  private final Map<String, Supervisor> supervisors = new HashMap<>();
  private final Set<Supervisor> leaving = new HashSet<>();
  private final Set<OpenQuestion> open = new HashSet<>();
  private final Set<OpenQuestion> waiting = new LinkedHashSet<>(); // no supervisor is connected and has room
  private final AnswerTimes times;
  private final HedgeBudget budget;
  private long number;
  private boolean isClosed;

  private OfferClient(Builder options) {
    game = options.game;
    fallback = options.fallback;
    deadline = options.deadline;
    security = options.security;
    links = options.links;
    byte[] random = new byte[6];
    new SecureRandom().nextBytes(random);
    prefix = HexFormat.of().formatHex(random) + "-";
    addresses = new Addresses(options.targets);
    times = new AnswerTimes((long) (FIRST_HEDGE_SHARE * deadline.toNanos()));
    budget = new HedgeBudget(options.hedgePercent);
    workers = Executors.newCachedThreadPool(OfferClient::daemon);
    timers = new ScheduledThreadPoolExecutor(1, OfferClient::daemon);
    timers.setRemoveOnCancelPolicy(true);
    timers.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    outcomes = new OutcomeReports(this::anyConnected, security);
  }

  /** Starts a client for a game; {@code fallback} is the offer to show if the mesh does not answer in time. */
  public static Builder forGame(String game, String fallback) {
    return new Builder(game, fallback);
  }

  /** The options of a client. */
  public static final class Builder {
    private final String game;
    private final String fallback;
    private List<String> targets = List.of();
    private Duration deadline = Duration.ofMillis(250);
    private Security security;
    private int links = 2;
    private double hedgePercent = 2;
    private Duration connectWithin = Duration.ofSeconds(5);

    private Builder(String game, String fallback) {
      if (game == null || game.isEmpty() || fallback == null || fallback.isEmpty()) {
        throw new IllegalArgumentException("game and fallback are required");
      }
      this.game = game;
      this.fallback = fallback;
    }

    /** Sets the deadline of a question (default 250 ms). */
    public Builder deadline(Duration within) {
      deadline = within;
      return this;
    }

    /** Sets TLS and token (default: plaintext). */
    public Builder security(Security files) {
      security = files;
      return this;
    }

    /** Sets the connections to each supervisor (default 2). */
    public Builder links(int count) {
      links = count;
      return this;
    }

    /** Sets the percentage of the questions that may go to a second supervisor (default 2). */
    public Builder hedgePercent(double percent) {
      hedgePercent = percent;
      return this;
    }

    /** Sets how long {@code connect} waits for a connection (default 5 s). */
    public Builder connectWithin(Duration within) {
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

  /**
   * Asks for the best offers of a player. The future completes by the deadline, with an offer to show; the only exception is a
   * {@link WrongRequestException}.
   */
  public CompletableFuture<Answer> getOffer(Question ask) {
    Duration within = ask.deadline == null ? deadline : ask.deadline;
    GetOfferRequest.Builder builder = ask.request.clone().setGame(game).setDeadlineMs((int) Math.max(1, within.toMillis()));
    OpenQuestion[] opened = new OpenQuestion[1];
    locked(
        () -> {
          OpenQuestion question = new OpenQuestion(builder.setRequestId(prefix + ++number).build());
          opened[0] = question;
          if (isClosed) {
            question.answer.complete(Answer.local(fallback, CLOSED));
            return;
          }
          open.add(question);
          question.expiry = timer(() -> expire(question), within.toNanos());
          question.hedging = timer(() -> hedge(question), times.p95());
          budget.recordRequest();
          ask(question, null);
        });
    return opened[0].answer;
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
    locked(
        () -> {
          isClosed = true;
          for (OpenQuestion question : new ArrayList<>(open)) {
            settle(question, Answer.local(fallback, CLOSED));
          }
          supervisors.values().forEach(Supervisor::close);
          leaving.forEach(Supervisor::close);
        });
    timers.shutdown();
    workers.shutdown();
  }

  private void start(Duration within) {
    if (!addresses.hasNames) {
      onAddresses(addresses.lookUp(InetAddress::getAllByName));
    } else {
      Thread lookUps = daemon(this::followNames);
      lookUps.setName("ensemble-mesh names");
      lookUps.start();
    }
    timers.scheduleAtFixedRate(() -> locked(this::checkStalls), TICK_MS, TICK_MS, TimeUnit.MILLISECONDS);
    try {
      connected.await(within.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  private void followNames() {
    try {
      while (!timers.isShutdown()) {
        Map<String, InetSocketAddress> found = addresses.lookUp(InetAddress::getAllByName);
        if (!found.isEmpty()) {
          onAddresses(found);
        }
        Thread.sleep(found.isEmpty() ? FIRST_LOOK_UP_MS : LOOK_UP_MS);
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  // For supervisors and links.

  void locked(Runnable work) {
    lock.lock();
    try {
      work.run();
    } catch (RuntimeException error) { // no bug on one answer may end the timers or a stream
      LOG.log(System.Logger.Level.ERROR, "the client failed", error);
    } finally {
      lock.unlock();
    }
  }

  /** Does work under the lock after a pause; the lock is held. */
  void later(Runnable work, long pauseMs) {
    if (!isClosed) {
      timers.schedule(() -> locked(work), pauseMs, TimeUnit.MILLISECONDS);
    }
  }

  /** Does work on another thread; the lock is held. */
  void unlocked(Runnable work) {
    if (!isClosed) {
      workers.execute(work);
    }
  }

  void warn(String text) {
    LOG.log(System.Logger.Level.WARNING, text);
  }

  void onUp() {
    connected.countDown();
    onRoom();
  }

  /** Asks the questions that wait, the oldest first, while a supervisor has room. */
  void onRoom() {
    while (!waiting.isEmpty() && supervisors.values().stream().anyMatch(Supervisor::isConnected)) {
      OpenQuestion question = waiting.iterator().next();
      waiting.remove(question);
      ask(question, null);
    }
  }

  void onResponse(Supervisor supervisor, OpenQuestion question, GetOfferResponse response) {
    long now = System.nanoTime();
    Long asked = question.asked.remove(supervisor);
    int code = response.getError().getCode();
    String message = response.getError().getMessage();
    if (code == 0) {
      supervisor.health.recordSuccess();
      if (asked != null) {
        times.record(now - asked);
      }
      settle(question, Answer.of(response, fallback));
    } else if (WrongRequestException.isWrong(code)) {
      supervisor.health.recordSuccess();
      if (end(question)) {
        workers.execute(() -> question.answer.completeExceptionally(new WrongRequestException(code, message)));
      }
    } else if (code == 8) { // RESOURCE_EXHAUSTED
      refuse(question, message);
    } else {
      supervisor.health.recordFailure(now);
      askAgain(question, supervisor, message);
    }
  }

  void onLost(Supervisor supervisor, OpenQuestion question, boolean isOverload) {
    question.asked.remove(supervisor);
    if (isOverload) {
      refuse(question, "the supervisor refused the stream");
    } else {
      askAgain(question, supervisor, "the connection was lost");
    }
  }

  // Asking.

  private void ask(OpenQuestion question, Supervisor but) {
    long now = System.nanoTime();
    if (question.preference == null) {
      question.preference = Preference.ordered(question.request.getPlayerId(), supervisors.values(), one -> one.hash);
    }
    Supervisor first = choose(question, now, but);
    if (first == null) {
      first = choose(question, now, null);
    }
    if (first == null) { // when every supervisor is slow, the machine or the network is the cause
      first = Preference.choose(question.preference, Supervisor::isConnected, Supervisor::openQuestions);
    }
    if (first == null) {
      hold(question);
      return;
    }
    first.ask(question, now);
    probe(question, now);
  }

  private Supervisor choose(OpenQuestion question, long now, Supervisor but) {
    return Preference.choose(
        question.preference,
        one -> one != but && !question.asked.containsKey(one) && one.isUsable(now),
        Supervisor::openQuestions);
  }

  private void askAgain(OpenQuestion question, Supervisor but, String why) {
    if (question.isDone || !question.asked.isEmpty()) {
      return; // another supervisor has it
    }
    if (question.sendings >= MOST_SENDINGS) {
      settle(question, Answer.local(fallback, why));
    } else {
      ask(question, but);
    }
  }

  /** Overload is not retried; but another supervisor that has the question may answer. */
  private void refuse(OpenQuestion question, String why) {
    if (question.asked.isEmpty()) {
      settle(question, Answer.local(fallback, "overloaded: " + why));
    }
  }

  private void hold(OpenQuestion question) {
    question.preference = null; // other supervisors may be known when it is asked
    if (waiting.size() < MOST_WAITING) {
      waiting.add(question);
    } else {
      settle(question, Answer.local(fallback, "no supervisor is connected"));
    }
  }

  /** Sends a copy to a stalled supervisor now and then: its answer shows that it works again. */
  private void probe(OpenQuestion question, long now) {
    for (Supervisor one : question.preference) {
      if (one.isConnected() && !question.asked.containsKey(one) && one.health.takesProbe(now)) {
        one.ask(question, now);
        return;
      }
    }
  }

  private void hedge(OpenQuestion question) {
    if (question.isDone || question.asked.size() != 1 || question.sendings >= MOST_SENDINGS) {
      return;
    }
    long now = System.nanoTime();
    Supervisor second = choose(question, now, null);
    if (second != null && budget.take()) {
      second.ask(question, now);
    }
  }

  /** Takes the questions of a stalled supervisor to the others. */
  private void checkStalls() {
    long now = System.nanoTime();
    for (Supervisor supervisor : supervisors.values()) {
      for (OpenQuestion question : supervisor.stalledQuestions(now, times.p95())) {
        Supervisor other = choose(question, now, supervisor);
        if (other != null && !question.isDone && question.sendings < MOST_SENDINGS) {
          other.ask(question, now);
        }
      }
    }
  }

  // Ending.

  private void expire(OpenQuestion question) {
    long now = System.nanoTime();
    question.asked.keySet().forEach(one -> one.health.recordFailure(now));
    String why = question.asked.isEmpty() ? "no supervisor is connected" : "no answer in time";
    settle(question, Answer.local(fallback, why));
  }

  private void settle(OpenQuestion question, Answer answer) {
    if (end(question)) {
      question.answer.completeAsync(() -> answer, workers); // the application must not run under our lock
    }
  }

  private boolean end(OpenQuestion question) {
    if (question.isDone) {
      return false;
    }
    question.isDone = true;
    open.remove(question);
    question.expiry.cancel(false);
    question.hedging.cancel(false);
    waiting.remove(question);
    question.asked.keySet().forEach(one -> one.forget(question));
    return true;
  }

  // The supervisors.

  void onAddresses(Map<String, InetSocketAddress> found) {
    locked(
        () -> {
          if (isClosed) {
            return;
          }
          found.forEach(
              (address, place) ->
                  supervisors.computeIfAbsent(address, text -> new Supervisor(text, place, links, this)));
          for (String address : List.copyOf(supervisors.keySet())) {
            if (!found.containsKey(address)) {
              Supervisor gone = supervisors.remove(address);
              leaving.add(gone);
              later(() -> leave(gone), deadline.toMillis()); // after its last answers
            }
          }
        });
  }

  /** Returns the number of supervisors that are connected. */
  long openSupervisors() {
    long[] found = new long[1];
    locked(() -> found[0] = supervisors.values().stream().filter(Supervisor::isConnected).count());
    return found[0];
  }

  private void leave(Supervisor gone) {
    leaving.remove(gone);
    gone.close();
  }

  /** Returns the place of a usable supervisor, or null. */
  private InetSocketAddress anyConnected() {
    InetSocketAddress[] found = new InetSocketAddress[1];
    locked(
        () -> {
          long now = System.nanoTime();
          List<Supervisor> usable = supervisors.values().stream().filter(one -> one.isUsable(now)).toList();
          found[0] = usable.isEmpty() ? null : usable.get((int) (++number % usable.size())).place;
        });
    return found[0];
  }

  private ScheduledFuture<?> timer(Runnable work, long nanos) {
    return timers.schedule(() -> locked(work), nanos, TimeUnit.NANOSECONDS);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "ensemble-mesh client");
    thread.setDaemon(true);
    return thread;
  }
}
