package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferRequest;
import ensemblemesh.offers.v1.GetOfferResponse;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * A link: one connection to a supervisor with one stream of questions, opened again after each end. The lock of the client
 * guards everything.
 */
final class Link {
  private static final int MOST_UNANSWERED = 256; // of one stream; a supervisor reads no more
  private static final long CONNECT_MS = 2_000;
  private static final long AT_ONCE_MS = 20;
  private static final long FIRST_PAUSE_MS = 100;
  private static final long LONGEST_PAUSE_MS = 1_000;
  private static final long STEADY_MS = 5_000; // a stream that lasted so long was a success

  private final Supervisor owner;
  private final Security security;
  private final ClientThreads threads;
  private final Set<String> unanswered = new HashSet<>();
  private Session session;
  private boolean isClosed;
  private int failures;
  private String logged = "";

  Link(Supervisor owner, Security security, ClientThreads threads) {
    this.owner = owner;
    this.security = security;
    this.threads = threads;
    open();
  }

  boolean isUsable() {
    return session != null && session.isUp && unanswered.size() < MOST_UNANSWERED;
  }

  void send(GetOfferRequest request) {
    unanswered.add(request.getRequestId());
    session.requests.onNext(request);
  }

  void close() {
    isClosed = true;
    if (session != null) {
      session.isUp = false;
      session.close();
    }
    report("", false);
  }

  private void open() {
    if (!isClosed) {
      session = new Session();
      threads.unlocked(session::connect); // files are read and TLS is prepared: no question may wait for that
    }
  }

  private void report(String failure, boolean isOverload) {
    List<String> lost = new ArrayList<>(unanswered);
    unanswered.clear();
    owner.onEnd(lost, failure, isOverload);
  }

  private void end(Session ended, Status status) {
    if (ended.isEnded) {
      return;
    }
    ended.isEnded = true;
    ended.isUp = false;
    ended.close();
    if (isClosed) {
      return;
    }
    Status.Code code = status.getCode();
    boolean isOverload =
        !ended.hasAnswered && ended.wasUp && (code == Status.Code.CANCELLED || code == Status.Code.RESOURCE_EXHAUSTED);
    String failure = status.isOk() ? "" : failure(status);
    report(failure, isOverload);
    boolean isFine = status.isOk() || System.nanoTime() - ended.began > TimeUnit.MILLISECONDS.toNanos(STEADY_MS);
    failures = isFine ? 0 : failures + 1;
    log(failure);
    threads.later(this::open, pauseMs(failures), TimeUnit.MILLISECONDS);
  }

  /** Logs each failure once, until an answer has come. */
  private void log(String failure) {
    if (!failure.isEmpty() && !failure.equals(logged)) {
      logged = failure;
      ClientThreads.warn("no connection to the supervisor at " + owner.address + ": " + failure);
    }
  }

  static String failure(Status status) {
    return status.getCode() + ": " + reason(status);
  }

  /** The root cause if there is one: gRPC's own description of a refused connection or certificate is "io exception". */
  static String reason(Status status) {
    Throwable cause = status.getCause();
    while (cause != null && cause.getCause() != null) {
      cause = cause.getCause();
    }
    if (cause == null || cause.getMessage() == null) {
      return status.getDescription();
    }
    boolean isOfCertificate = cause instanceof GeneralSecurityException; // whose text may not say so
    return (isOfCertificate ? "the certificate is refused: " : "") + cause.getMessage();
  }

  private static long pauseMs(int failures) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    if (failures == 0) {
      return random.nextLong(AT_ONCE_MS);
    }
    long longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << Math.min(failures - 1, 10));
    return longest / 2 + random.nextLong(longest / 2);
  }

  /** One connection with its stream. */
  private final class Session implements ClientResponseObserver<GetOfferRequest, GetOfferResponse> {
    private final long began = System.nanoTime();
    private Connection connection;
    private ClientCallStreamObserver<GetOfferRequest> requests;
    private boolean isUp;
    private boolean wasUp;
    private boolean isEnded;
    private boolean hasAnswered;

    void connect() {
      try {
        Connection opened = new Connection(owner.place, security);
        threads.locked(() -> start(opened));
      } catch (IOException | RuntimeException error) {
        threads.locked(() -> end(this, Status.UNAVAILABLE.withDescription(error.getMessage())));
      }
    }

    private void start(Connection opened) {
      connection = opened;
      if (isClosed) {
        close();
        return;
      }
      connection.stub.streamOffers(this);
      threads.later(this::checkConnected, CONNECT_MS, TimeUnit.MILLISECONDS);
    }

    void close() {
      if (connection != null) {
        connection.close();
      }
    }

    private void checkConnected() {
      if (!wasUp) {
        end(this, Status.UNAVAILABLE.withDescription("no connection within " + CONNECT_MS / 1000 + " s"));
      }
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<GetOfferRequest> stream) {
      requests = stream;
      stream.setOnReadyHandler(() -> threads.locked(this::onReady)); // the transport is connected
    }

    private void onReady() {
      if (!isUp && !isEnded) {
        isUp = true;
        wasUp = true;
        owner.onUp();
      }
    }

    @Override
    public void onNext(GetOfferResponse response) {
      threads.locked(
          () -> {
            hasAnswered = true;
            logged = "";
            unanswered.remove(response.getRequestId());
            owner.onResponse(response);
          });
    }

    @Override
    public void onError(Throwable error) {
      threads.locked(() -> end(this, Status.fromThrowable(error)));
    }

    @Override
    public void onCompleted() {
      threads.locked(() -> end(this, Status.OK));
    }
  }
}
