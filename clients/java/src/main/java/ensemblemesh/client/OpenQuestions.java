package ensemblemesh.client;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** The questions without an answer, and their ends. The lock of the client guards them. */
final class OpenQuestions {
  private static final int MOST_WAITING = 10_000;
  private static final String CLOSED = "the client is closed";
  private static final String NOT_IN_TIME = "no answer in time";
  private static final String NOT_CONNECTED = "no supervisor is connected";
  private final String fallback;
  private final ClientThreads threads;
  private String lastFailure = "";
  private final Set<OpenQuestion> open = new HashSet<>();
  private final Set<OpenQuestion> waiting = new LinkedHashSet<>(); // no supervisor is connected and has room

  OpenQuestions(String fallback, ClientThreads threads) {
    this.fallback = fallback;
    this.threads = threads;
  }

  /** Adds a question that ends after {@code nanos} at the latest; returns false if it has ended at once. */
  boolean add(OpenQuestion question, long nanos) {
    if (threads.isClosed()) {
      question.answer.complete(Answer.local(fallback, CLOSED));
      return false;
    }
    open.add(question);
    question.expiry = threads.later(() -> expire(question), nanos, TimeUnit.NANOSECONDS);
    return true;
  }

  /** Keeps a question until a supervisor is connected and has room. */
  void hold(OpenQuestion question) {
    question.preference = null; // other supervisors may be known when it is asked
    if (waiting.size() < MOST_WAITING) {
      waiting.add(question);
    } else {
      settle(question, because(NOT_CONNECTED));
    }
  }

  /** Keeps why the last connection failed; "" when a supervisor answers. */
  void recordFailure(String failure) {
    lastFailure = failure;
  }

  /** Adds the last failure of a connection to a reason. */
  String because(String why) {
    return lastFailure.isEmpty() ? why : why + ": " + lastFailure;
  }

  boolean areWaiting() {
    return !waiting.isEmpty();
  }

  /** Takes the oldest question that waits. */
  OpenQuestion nextWaiting() {
    OpenQuestion question = waiting.iterator().next();
    waiting.remove(question);
    return question;
  }

  /** Ends a question with an answer of the mesh. */
  void settle(OpenQuestion question, Answer answer) {
    if (end(question)) {
      question.answer.completeAsync(() -> answer, threads::unlocked); // the application must not run under the lock
    }
  }

  /** Ends a question with the offer of the application. */
  void settle(OpenQuestion question, String why) {
    settle(question, Answer.local(fallback, why));
  }

  /** Ends a question that the mesh calls wrong. */
  void fail(OpenQuestion question, WrongRequestException error) {
    if (end(question)) {
      threads.unlocked(() -> question.answer.completeExceptionally(error));
    }
  }

  /** Ends all questions, because the client is closed. */
  void close() {
    for (OpenQuestion question : new ArrayList<>(open)) {
      settle(question, CLOSED);
    }
  }

  private void expire(OpenQuestion question) {
    long now = System.nanoTime();
    question.asked.keySet().forEach(one -> one.health.recordFailure(now));
    settle(question, because(question.asked.isEmpty() ? NOT_CONNECTED : NOT_IN_TIME));
  }

  private boolean end(OpenQuestion question) {
    if (question.isDone) {
      return false;
    }
    question.isDone = true;
    open.remove(question);
    question.expiry.cancel(false);
    if (question.hedging != null) {
      question.hedging.cancel(false);
    }
    waiting.remove(question);
    question.asked.keySet().forEach(one -> one.forget(question));
    return true;
  }
}
