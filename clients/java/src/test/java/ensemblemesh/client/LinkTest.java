package ensemblemesh.client;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import ensemblemesh.offers.v1.GetOfferRequest;
import ensemblemesh.offers.v1.GetOfferResponse;
import ensemblemesh.offers.v1.OffersGrpc;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.cert.CertificateException;
import java.time.Duration;
import org.junit.Test;

public class LinkTest {
  @Test
  public void reasonIsTheRootCause() {
    Exception refused = new IOException("connect failed", new IOException("Connection refused: /127.0.0.1:7000"));
    Status status = Status.UNAVAILABLE.withDescription("io exception").withCause(refused);
    assertEquals("Connection refused: /127.0.0.1:7000", Link.reason(status));
  }

  @Test
  public void reasonNamesTheCertificate() {
    Exception refused = new IOException("handshake failed", new CertificateException("no trust anchor"));
    Status status = Status.UNAVAILABLE.withDescription("io exception").withCause(refused);
    assertEquals("the certificate is refused: no trust anchor", Link.reason(status));
  }

  @Test
  public void localAnswerHasTheReasonOfTheLastFailure() throws IOException {
    OffersGrpc.OffersImplBase refusing =
        new OffersGrpc.OffersImplBase() {
          @Override
          public StreamObserver<GetOfferRequest> streamOffers(StreamObserver<GetOfferResponse> responses) {
            responses.onError(Status.PERMISSION_DENIED.withDescription("lobby may not call StreamOffers").asException());
            return new StreamObserver<>() {
              @Override
              public void onNext(GetOfferRequest request) {}

              @Override
              public void onError(Throwable error) {}

              @Override
              public void onCompleted() {}
            };
          }
        };
    Server server = NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0)).addService(refusing).build().start();
    try {
      String address = "127.0.0.1:" + server.getPort();
      assertReason(address, address + ": PERMISSION_DENIED: lobby may not call StreamOffers");
      assertReason("127.0.0.1:1", "no supervisor is connected: 127.0.0.1:1: UNAVAILABLE: ");
    } finally {
      server.shutdownNow();
    }
  }

  private static void assertReason(String address, String expected) {
    OfferClientBuilder options = OfferClient.forGame("g", "mine").deadline(Duration.ofMillis(500));
    try (OfferClient client = options.connectWithin(Duration.ofMillis(1)).connect(address)) {
      Answer answer = client.getOffer(Question.forPlayer("p")).join();
      assertEquals(Source.LOCAL, answer.source());
      assertTrue(answer.reason(), answer.reason().contains(expected));
    }
  }

  @Test
  public void reasonIsTheDescriptionIfTheServerRefused() {
    assertEquals("StreamOffers: no", Link.reason(Status.PERMISSION_DENIED.withDescription("StreamOffers: no")));
  }
}
