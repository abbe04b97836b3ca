package ensemblemesh.client;

import static org.junit.Assert.assertEquals;

import io.grpc.Status;
import java.io.IOException;
import org.junit.Test;

public class LinkTest {
  @Test
  public void reasonIsTheRootCause() {
    Exception refused = new IOException("connect failed", new IOException("Connection refused: /127.0.0.1:7000"));
    Status status = Status.UNAVAILABLE.withDescription("io exception").withCause(refused);
    assertEquals("Connection refused: /127.0.0.1:7000", Link.reason(status));
  }

  @Test
  public void reasonIsTheDescriptionIfTheServerRefused() {
    assertEquals("StreamOffers: no", Link.reason(Status.PERMISSION_DENIED.withDescription("StreamOffers: no")));
  }
}
