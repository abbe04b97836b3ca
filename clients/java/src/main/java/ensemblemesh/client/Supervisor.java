package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferResponse;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** One supervisor: its links, its open questions and its health. The lock of the client guards it. */
final class Supervisor {
  final String address;
  final InetSocketAddress place;
  final long hash;
  final Health health = new Health();
  private final Asking asking;
  private final Map<String, OpenQuestion> questions = new LinkedHashMap<>(); // the oldest first
  private final Deque<Link> links = new ArrayDeque<>();

  Supervisor(String address, InetSocketAddress place, OfferClientBuilder options, Asking asking, ClientThreads threads) {
    this.address = address;
    this.place = place;
    this.hash = Preference.fnv1a(address);
    this.asking = asking;
    for (int i = 0; i < options.links; i++) {
      links.add(new Link(this, options.security, threads));
    }
  }

  int openQuestions() {
    return questions.size();
  }

  boolean isConnected() {
    return links.stream().anyMatch(Link::isUsable);
  }

  boolean isUsable(long now) {
    return isConnected() && !health.isStalled() && !health.isEjected(now);
  }

  /** Sends the question; the supervisor must be connected. The links take turns. */
  void ask(OpenQuestion question, long now) {
    links.addLast(links.removeFirst());
    question.asked.put(this, now);
    question.sendings++;
    questions.put(question.request.getRequestId(), question);
    links.stream().filter(Link::isUsable).findFirst().orElseThrow().send(question.request);
  }

  void forget(OpenQuestion question) {
    questions.remove(question.request.getRequestId());
  }

  /** Returns the open questions if the supervisor has stalled since the last call. */
  List<OpenQuestion> stalledQuestions(long now, long p95) {
    if (questions.isEmpty()) {
      return List.of();
    }
    long oldest = questions.values().iterator().next().asked.getOrDefault(this, now);
    return health.checkStall(now, oldest, p95) ? new ArrayList<>(questions.values()) : List.of();
  }

  void close() {
    links.forEach(Link::close);
  }

  void onUp() {
    health.recordConnection();
    asking.onUp();
  }

  void onResponse(GetOfferResponse response) {
    health.recordAnswer(System.nanoTime());
    OpenQuestion question = questions.remove(response.getRequestId());
    if (question != null) {
      asking.onResponse(this, question, response);
    }
    asking.onRoom();
  }

  /** A stream ended, or could not be opened; {@code failure} is "" if it ended with OK. */
  void onEnd(List<String> ids, String failure, boolean isOverload) {
    if (!failure.isEmpty()) {
      asking.onFailure(address + ": " + failure);
    }
    for (String id : ids) {
      OpenQuestion question = questions.remove(id);
      if (question != null) {
        asking.onLost(this, question, isOverload);
      }
    }
  }
}
