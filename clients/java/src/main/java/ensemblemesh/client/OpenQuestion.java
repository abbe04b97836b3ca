package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferRequest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;

/** A request that waits for its answer. */
final class OpenQuestion {
  final GetOfferRequest request;
  final CompletableFuture<Answer> answer = new CompletableFuture<>();
  final Map<Supervisor, Long> asked = new HashMap<>(); // that have not answered, and the time of the sending
  List<Supervisor> preference;
  int sendings;
  Supervisor hedged; // that got a copy because the first was slow
  boolean isDone;
  Future<?> expiry;
  Future<?> hedging;

  OpenQuestion(GetOfferRequest request) {
    this.request = request;
  }
}
