package ensemblemesh.client;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import ensemblemesh.offers.v1.Error;
import ensemblemesh.offers.v1.GetOfferRequest;
import ensemblemesh.offers.v1.GetOfferResponse;
import ensemblemesh.offers.v1.OffersGrpc;
import ensemblemesh.offers.v1.RankedOffer;
import ensemblemesh.offers.v1.ReportOutcomeRequest;
import ensemblemesh.offers.v1.ReportOutcomeResponse;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.junit.After;
import org.junit.Test;

/** The client against scripted supervisors on real sockets. */
public final class OfferClientTest {
  private static final Duration LONG = Duration.ofSeconds(20); // a deadline that no answer needs
  private static final int MOST_UNANSWERED = 256;
  private static final CompletableFuture<GetOfferResponse> NEVER = new CompletableFuture<>();
  private final List<AutoCloseable> opened = new ArrayList<>();

  @After
  public void close() throws Exception {
    for (int i = opened.size() - 1; i >= 0; i--) {
      opened.get(i).close();
    }
  }

  /** A supervisor that answers each request when the future of {@code answer} completes. */
  private final class Scripted extends OffersGrpc.OffersImplBase {
    final AtomicInteger requests = new AtomicInteger();
    final AtomicInteger reports = new AtomicInteger();
    final Function<GetOfferRequest, CompletableFuture<GetOfferResponse>> answer;
    final String address;

    Scripted(Function<GetOfferRequest, CompletableFuture<GetOfferResponse>> answer) throws IOException {
      this.answer = answer;
      Server server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0)).addService(this).build().start();
      opened.add(server::shutdownNow);
      address = "127.0.0.1:" + server.getPort();
    }

    @Override
    public StreamObserver<GetOfferRequest> streamOffers(StreamObserver<GetOfferResponse> responses) {
      return reading(
          responses,
          request -> {
            requests.incrementAndGet();
            answer.apply(request).thenAccept(response -> send(responses, response));
          });
    }

    @Override
    public StreamObserver<ReportOutcomeRequest> streamOutcomes(StreamObserver<ReportOutcomeResponse> responses) {
      return reading(
          responses,
          report -> {
            reports.incrementAndGet();
            send(responses, ReportOutcomeResponse.getDefaultInstance());
          });
    }

    private <T> void send(StreamObserver<T> responses, T response) {
      synchronized (responses) {
        responses.onNext(response);
      }
    }

    private <T, R> StreamObserver<T> reading(StreamObserver<R> responses, java.util.function.Consumer<T> onNext) {
      return new StreamObserver<>() {
        @Override
        public void onNext(T message) {
          onNext.accept(message);
        }

        @Override
        public void onError(Throwable error) {}

        @Override
        public void onCompleted() {
          responses.onCompleted();
        }
      };
    }
  }

  private static CompletableFuture<GetOfferResponse> best(GetOfferRequest request) {
    RankedOffer offer = RankedOffer.newBuilder().setOfferId("best").build();
    return CompletableFuture.completedFuture(
        GetOfferResponse.newBuilder()
            .setRequestId(request.getRequestId())
            .setSource(ensemblemesh.offers.v1.Source.ENSEMBLE)
            .addOffers(offer)
            .build());
  }

  private OfferClient asking(OfferClientBuilder options, Scripted... supervisors) {
    String[] addresses = List.of(supervisors).stream().map(one -> one.address).toArray(String[]::new);
    OfferClient client = options.connect(addresses);
    opened.add(client);
    until(() -> client.supervisors.countConnected() == supervisors.length);
    return client;
  }

  private static OfferClientBuilder options() {
    return OfferClient.forGame("g", "mine").deadline(LONG);
  }

  private static void until(BooleanSupplier isTrue) {
    while (!isTrue.getAsBoolean()) {
      Thread.onSpinWait();
    }
  }

  private static void assertLocal(String reason, Answer answer) {
    assertEquals(List.of("mine", Source.LOCAL, reason), List.of(answer.offerId(), answer.source(), answer.reason()));
  }

  @Test
  public void questionsThatFoundNoRoomAreAskedWhenThereIsRoom() throws IOException {
    CompletableFuture<Void> gate = new CompletableFuture<>();
    Scripted mesh = new Scripted(request -> gate.thenCompose(open -> best(request)));
    OfferClient client = asking(options().links(1).hedgePercent(0), mesh);
    List<CompletableFuture<Answer>> asked = new ArrayList<>();
    for (int i = 0; i < MOST_UNANSWERED + 20; i++) {
      asked.add(client.getOffer(Question.forPlayer("player-" + i)));
    }
    until(() -> mesh.requests.get() == MOST_UNANSWERED);
    gate.complete(null);
    asked.forEach(answer -> assertEquals(Source.ENSEMBLE, answer.join().source()));
  }

  @Test
  public void closingAnswersTheQuestionsThatWereSentAndAClosedClientAnswersAtOnce() throws IOException {
    Scripted mesh = new Scripted(request -> NEVER);
    OfferClient client = asking(options(), mesh);
    CompletableFuture<Answer> asked = client.getOffer(Question.forPlayer("p"));
    until(() -> mesh.requests.get() == 1);
    client.close();
    assertLocal("the client is closed", asked.join());
    assertLocal("the client is closed", client.getOffer(Question.forPlayer("p")).join());
  }

  @Test
  public void supervisorThatLeavesGivesItsQuestionsToAnother() throws Exception {
    Scripted silent = new Scripted(request -> NEVER);
    Scripted other = new Scripted(OfferClientTest::best);
    OfferClient client = asking(options().hedgePercent(0), silent, other);
    List<CompletableFuture<Answer>> asked = new ArrayList<>();
    for (int i = 0; silent.requests.get() == 0; i++) {
      asked.add(client.getOffer(Question.forPlayer("player-" + i).within(LONG.multipliedBy(2))));
      Thread.sleep(1);
    }
    int port = Integer.parseInt(other.address.split(":")[1]);
    client.supervisors.onAddresses(Map.of(other.address, new InetSocketAddress("127.0.0.1", port)));
    asked.forEach(answer -> assertEquals(Source.ENSEMBLE, answer.join().source()));
  }

  @Test
  public void silentMeshGivesTheFallbackAtTheDeadline() throws IOException {
    OfferClient client = asking(options().deadline(Duration.ofMillis(100)), new Scripted(request -> NEVER));
    assertLocal("no answer in time", client.getOffer(Question.forPlayer("p")).join());
  }

  @Test
  public void wrongRequestCompletesWithItsText() throws IOException {
    Error error = Error.newBuilder().setCode(3).setMessage("offer_ids: unknown").build();
    OfferClient client = asking(options(), new Scripted(request -> failing(request, error)));
    CompletionException caught =
        assertThrows(CompletionException.class, () -> client.getOffer(Question.forPlayer("p")).join());
    assertEquals("offer_ids: unknown", ((WrongRequestException) caught.getCause()).getMessage());
  }

  @Test
  public void answerWithoutAnOfferGivesTheFallback() throws IOException {
    OfferClient client = asking(options(), new Scripted(request -> failing(request, Error.getDefaultInstance())));
    assertLocal("the answer has no offer", client.getOffer(Question.forPlayer("p")).join());
  }

  @Test
  public void refusedCopyDoesNotTakeTheQuestionFromTheOtherSupervisor() throws IOException {
    CompletableFuture<Void> gate = new CompletableFuture<>();
    Error busy = Error.newBuilder().setCode(8).setMessage("busy").build();
    Scripted late = new Scripted(request -> gate.thenCompose(open -> best(request)));
    Scripted refusing =
        new Scripted(
            request -> {
              CompletableFuture.delayedExecutor(50, java.util.concurrent.TimeUnit.MILLISECONDS).execute(() -> gate.complete(null));
              return failing(request, busy);
            });
    OfferClient client = asking(options().hedgePercent(100).deadline(Duration.ofSeconds(2)), late, refusing);
    List<Long> order = List.of(Preference.fnv1a(late.address), Preference.fnv1a(refusing.address));
    int player = 0;
    while (!Preference.ordered("player-" + player, order, one -> one).get(0).equals(order.get(0))) {
      player++;
    }
    Question question = Question.forPlayer("player-" + player).within(LONG);
    assertEquals(Source.ENSEMBLE, client.getOffer(question).join().source());
  }

  @Test
  public void nameThatCannotBeLookedUpKeepsItsAddresses() throws UnknownHostException {
    Addresses addresses = new Addresses(List.of("a.games:9000", "[2001:DB8::7]:9000"));
    InetAddress six = InetAddress.getByName("2001:db8::9");
    Set<String> expected = Set.of("[2001:db8::9]:9000", "[2001:DB8::7]:9000");
    assertEquals(expected, addresses.lookUp(host -> new InetAddress[] {six}).keySet());
    Addresses.Resolver failing =
        host -> {
          throw new UnknownHostException(host);
        };
    assertEquals(expected, addresses.lookUp(failing).keySet());
  }

  @Test
  public void outcomesAreTaken() throws IOException {
    Scripted mesh = new Scripted(OfferClientTest::best);
    OfferClient client = asking(options(), mesh);
    assertThrows(
        IllegalArgumentException.class, () -> client.reportOutcome(ReportOutcomeRequest.getDefaultInstance()));
    for (int i = 0; i < 250; i++) {
      client.reportOutcome(ReportOutcomeRequest.newBuilder().setOutcomeId("t" + i).build());
    }
    until(() -> client.outcomesTaken() == 250);
    assertEquals(250, mesh.reports.get());
  }

  @Test
  public void missingFileIsReported() {
    Security security = new Security(Path.of("no-such-file.pem"), null, null, null, null);
    IOException error =
        assertThrows(IOException.class, () -> new Connection(new InetSocketAddress("127.0.0.1", 1), security));
    assertTrue(error.getMessage().contains("no-such-file.pem"));
  }

  private static CompletableFuture<GetOfferResponse> failing(GetOfferRequest request, Error error) {
    GetOfferResponse.Builder response = GetOfferResponse.newBuilder().setRequestId(request.getRequestId());
    return CompletableFuture.completedFuture(response.setError(error).build());
  }
}
