package ensemblemesh.client;

import ensemblemesh.offers.v1.ReportOutcomeRequest;
import ensemblemesh.offers.v1.ReportOutcomeResponse;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Reports of outcomes, sent by a thread over one stream and repeated until a supervisor has taken them. */
final class OutcomeReports {
  private static final int MOST_WAITING = 10_000;
  private static final int BATCH = 100; // reports without an answer on the stream
  private static final long ANSWER_MS = 5_000;
  private static final long FIRST_PAUSE_MS = 1_000;
  private static final long LONGEST_PAUSE_MS = 300_000;
  private static final long CLOSE_MS = 1_000;
  private static final int MOST_LOGGED = 20; // reasons

  private final Supplier<Supervisor> usable;
  private final Security security;
  private final Deque<ReportOutcomeRequest> waiting = new ArrayDeque<>(); // this object guards it and the counts
  private final Set<String> logged = new HashSet<>();
  private final Thread sender;
  private long taken;
  private long dropped;

  /** {@code usable} returns a usable supervisor, or null. */
  OutcomeReports(Supplier<Supervisor> usable, Security security) {
    this.usable = usable;
    this.security = security;
    sender = new Thread(this::run, "ensemble-mesh outcomes");
    sender.setDaemon(true);
    sender.start();
  }

  synchronized void add(ReportOutcomeRequest report) {
    if (report.getOutcomeId().isEmpty()) {
      throw new IllegalArgumentException(
          "outcome_id: is missing; give the id of the transaction, or DECISION_ID-shown");
    }
    if (waiting.size() >= MOST_WAITING) {
      waiting.removeFirst();
      dropped++;
    }
    waiting.addLast(report);
    notifyAll();
  }

  synchronized long taken() {
    return taken;
  }

  synchronized long dropped() {
    return dropped;
  }

  /** Waits until all reports are taken, for a second at most. */
  void close() {
    long limit = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MS);
    try {
      synchronized (this) {
        while (!waiting.isEmpty() && System.nanoTime() - limit < 0) {
          wait(10);
        }
        if (!waiting.isEmpty()) {
          ClientThreads.warn(waiting.size() + " outcomes were not reported");
        }
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    sender.interrupt();
  }

  private void run() {
    int failures = 0;
    try {
      while (true) {
        awaitReport();
        try {
          sendAll();
          failures = 0;
        } catch (RuntimeException error) { // no answer of a supervisor may end the reporting
          failures++;
          long longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << Math.min(failures - 1, 10));
          Thread.sleep(longest / 2 + ThreadLocalRandom.current().nextLong(longest / 2));
        }
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt(); // the client is closed
    }
  }

  private synchronized void awaitReport() throws InterruptedException {
    while (waiting.isEmpty()) {
      wait();
    }
  }

  private synchronized List<ReportOutcomeRequest> batch() {
    return waiting.stream().limit(BATCH).toList();
  }

  private void sendAll() throws InterruptedException {
    Supervisor supervisor = usable.get();
    if (supervisor == null) {
      throw new IllegalStateException("no supervisor is connected"); // the links log why
    }
    try {
      sendAllTo(supervisor.place);
    } catch (IOException | RuntimeException error) {
      Status status = error instanceof IOException ? unavailable(error.getMessage()) : Status.fromThrowable(error);
      logOnce("outcomes wait: " + supervisor.address + ": " + Link.failure(status));
      throw status.asRuntimeException();
    }
  }

  private void sendAllTo(InetSocketAddress place) throws IOException, InterruptedException {
    try (Connection connection = new Connection(place, security)) {
      Responses responses = new Responses();
      StreamObserver<ReportOutcomeRequest> stream = connection.stub.streamOutcomes(responses);
      for (List<ReportOutcomeRequest> batch = batch(); !batch.isEmpty(); batch = batch()) {
        batch.forEach(stream::onNext);
        Status fault = Status.OK;
        for (ReportOutcomeRequest report : batch) {
          Status taking = take(report, responses.next());
          fault = taking.isOk() ? fault : taking;
        }
        if (!fault.isOk()) {
          throw fault.asRuntimeException();
        }
      }
      stream.onCompleted();
    }
  }

  /** Removes a report that was taken or is wrong; returns why it was not taken if it must be repeated, else OK. */
  private synchronized Status take(ReportOutcomeRequest report, ReportOutcomeResponse response) {
    int code = response.getError().getCode();
    String message = response.getError().getMessage();
    if (code != 0 && !WrongRequestException.isWrong(code)) {
      return Status.fromCodeValue(code).withDescription(message);
    }
    waiting.removeIf(one -> one == report);
    if (code == 0) {
      taken++;
    } else {
      logOnce("outcomes are dropped, because the mesh calls them wrong: " + message);
    }
    return Status.OK;
  }

  private synchronized void logOnce(String text) {
    if (logged.size() < MOST_LOGGED && logged.add(text)) {
      ClientThreads.warn(text);
    }
  }

  private static Status unavailable(String text) {
    return Status.UNAVAILABLE.withDescription(text);
  }

  /** The responses of one stream, in order. */
  private static final class Responses implements StreamObserver<ReportOutcomeResponse> {
    private final BlockingQueue<Object> ready = new LinkedBlockingQueue<>(); // responses, then the status of the end

    ReportOutcomeResponse next() throws InterruptedException {
      Object next = ready.poll(ANSWER_MS, TimeUnit.MILLISECONDS);
      if (next instanceof ReportOutcomeResponse response) {
        return response;
      }
      throw (next instanceof Status end ? end : unavailable("no answer in time")).asRuntimeException();
    }

    @Override
    public void onNext(ReportOutcomeResponse response) {
      ready.add(response);
    }

    @Override
    public void onError(Throwable error) {
      ready.add(Status.fromThrowable(error));
    }

    @Override
    public void onCompleted() {
      ready.add(unavailable("the supervisor ended the stream"));
    }
  }
}
