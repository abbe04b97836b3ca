package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferResponse;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Chooses the supervisors that get a question, and takes their answers. The lock of the client guards it. */
final class Asking {
  private static final int MOST_SENDINGS = 4; // of one question, with its hedge
  private static final double FIRST_HEDGE_SHARE = 0.3; // of the deadline, until the p95 is learnt
  private static final int RESOURCE_EXHAUSTED = 8;

  final Supervisors supervisors;
  final OpenQuestions questions;
  private final String fallback;
  private final ClientThreads threads;
  private final AnswerTimes times;
  private final HedgeBudget budget;
  private final CountDownLatch connected = new CountDownLatch(1);

  Asking(OfferClientBuilder options, ClientThreads threads) {
    this.threads = threads;
    fallback = options.fallback;
    questions = new OpenQuestions(fallback, threads);
    supervisors =
        new Supervisors(
            options.targets,
            options.deadline,
            threads,
            (address, place) -> new Supervisor(address, place, options, this, threads));
    times = new AnswerTimes((long) (FIRST_HEDGE_SHARE * options.deadline.toNanos()));
    budget = new HedgeBudget(options.hedgePercent);
  }

  void awaitConnection(Duration within) {
    try {
      connected.await(within.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  void begin(OpenQuestion question, long nanos) {
    if (questions.add(question, nanos)) {
      question.hedging = threads.later(() -> hedge(question), times.p95(), TimeUnit.NANOSECONDS);
      budget.recordRequest();
      ask(question, null);
    }
  }

  /** Takes the questions of a stalled supervisor to the others. */
  void checkStalls() {
    long now = System.nanoTime();
    for (Supervisor supervisor : supervisors.all()) {
      for (OpenQuestion question : supervisor.stalledQuestions(now, times.p95())) {
        Supervisor other = choose(question, now, supervisor);
        if (other != null && !question.isDone && question.sendings < MOST_SENDINGS) {
          other.ask(question, now);
        }
      }
    }
  }

  // Events of the supervisors.

  void onUp() {
    connected.countDown();
    onRoom();
  }

  /** Asks the questions that wait, the oldest first, while a supervisor has room. */
  void onRoom() {
    while (questions.areWaiting() && supervisors.areConnected()) {
      ask(questions.nextWaiting(), null);
    }
  }

  void onResponse(Supervisor supervisor, OpenQuestion question, GetOfferResponse response) {
    long now = System.nanoTime();
    Long asked = question.asked.remove(supervisor);
    questions.recordFailure("");
    int code = response.getError().getCode();
    String message = response.getError().getMessage();
    if (code == 0) {
      supervisor.health.recordSuccess();
      if (asked != null) {
        times.record(now - asked);
      }
      if (question.hedged != null && question.hedged != supervisor) {
        budget.recordUseless();
      }
      questions.settle(question, Answer.of(response, fallback));
    } else if (WrongRequestException.isWrong(code)) {
      supervisor.health.recordSuccess();
      questions.fail(question, new WrongRequestException(code, message));
    } else if (code == RESOURCE_EXHAUSTED) {
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
      askAgain(question, supervisor, questions.because("the connection was lost"));
    }
  }

  /** A connection failed: the reason of local answers, until a supervisor answers. */
  void onFailure(String failure) {
    questions.recordFailure(failure);
  }

  // Asking.

  private void ask(OpenQuestion question, Supervisor but) {
    long now = System.nanoTime();
    if (question.preference == null) {
      question.preference = Preference.ordered(question.request.getPlayerId(), supervisors.all(), one -> one.hash);
    }
    Supervisor first = choose(question, now, but);
    if (first == null) {
      first = choose(question, now, null);
    }
    if (first == null) { // when every supervisor is slow, the machine or the network is the cause
      first = Preference.choose(question.preference, Supervisor::isConnected, Supervisor::openQuestions);
    }
    if (first == null) {
      questions.hold(question);
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
      questions.settle(question, why);
    } else {
      ask(question, but);
    }
  }

  /** Overload is not retried; but another supervisor that has the question may answer. */
  private void refuse(OpenQuestion question, String why) {
    if (question.asked.isEmpty()) {
      questions.settle(question, "overloaded: " + why);
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
      question.hedged = second;
      second.ask(question, now);
    }
  }
}
