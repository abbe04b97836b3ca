package ensemblemesh.tools;

import ensemblemesh.client.Answer;
import ensemblemesh.client.OfferClient;
import ensemblemesh.client.Question;
import ensemblemesh.client.Security;
import ensemblemesh.client.Source;
import ensemblemesh.client.WrongRequestException;
import ensemblemesh.offers.v1.OutcomeKind;
import ensemblemesh.offers.v1.ReportOutcomeRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Asks for offers at a fixed rate, and prints what came back: the program that the conformance suite runs. */
public final class Driver {
  private static final double LATE_MS = 25; // beyond the deadline: the machine may have been busy
  private final Map<String, Integer> sources = new TreeMap<>();
  private final Map<String, Integer> reasons = new TreeMap<>();
  private final List<Double> timesMs = new ArrayList<>();
  private String lastReason = "";
  private int late;
  private int exceptions;
  private int wrongRequests;

  private Driver() {
    for (Source source : Source.values()) {
      sources.put(name(source), 0);
    }
  }

  public static void main(String[] words) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < words.length; i += 2) {
      options.put(words[i].substring(2), words[i + 1]);
    }
    new Driver().run(options);
  }

  private void run(Map<String, String> options) throws Exception {
    double rate = number(options, "rate", 200);
    double deadlineMs = number(options, "deadline-ms", 250);
    int calls = (int) (rate * number(options, "seconds", 30));
    int players = (int) number(options, "players", 1000);
    int wrongEvery = (int) number(options, "wrong-every", 0);
    int outcomes = (int) number(options, "outcomes", 0);
    OfferClient client =
        OfferClient.forGame(options.get("game"), options.get("fallback"))
            .deadline(Duration.ofNanos((long) (deadlineMs * 1e6)))
            .security(security(options))
            .connect(options.get("targets").split(","));
    System.out.println("{\"event\": \"ready\"}");
    System.out.flush();
    long began = System.nanoTime();
    List<CompletableFuture<Void>> asking = new ArrayList<>();
    for (int i = 0; i < calls; i++) {
      TimeUnit.NANOSECONDS.sleep(began + (long) (i / rate * 1e9) - System.nanoTime());
      Question question = Question.forPlayer(String.format("player-%05d", i % players));
      if (wrongEvery > 0 && i % wrongEvery == 0) {
        question.offers(List.of("no-such-offer"));
      }
      boolean reports = i < outcomes;
      long asked = System.nanoTime();
      asking.add(
          client
              .getOffer(question)
              .handle(
                  (answer, error) -> {
                    count(answer, error, (System.nanoTime() - asked) / 1e6, deadlineMs);
                    if (reports && answer != null && !answer.decisionId().isEmpty()) {
                      client.reportOutcome(
                          ReportOutcomeRequest.newBuilder()
                              .setOutcomeId(answer.decisionId() + "-shown")
                              .setDecisionId(answer.decisionId())
                              .setKind(OutcomeKind.SHOWN)
                              .build());
                    }
                    return null;
                  }));
    }
    CompletableFuture.allOf(asking.toArray(CompletableFuture[]::new)).join();
    client.close();
    System.out.println(line(calls, client));
  }

  private synchronized void count(Answer answer, Throwable error, double tookMs, double deadlineMs) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : error;
    if (cause instanceof WrongRequestException) {
      wrongRequests++;
    } else if (cause != null) {
      cause.printStackTrace();
      exceptions++;
    } else {
      sources.merge(name(answer.source()), 1, Integer::sum);
      if (answer.source() == Source.LOCAL) {
        reasons.merge(answer.reason().split(":")[0], 1, Integer::sum);
        lastReason = answer.reason();
      }
    }
    timesMs.add(tookMs);
    if (tookMs > deadlineMs + LATE_MS) {
      late++;
    }
  }

  private synchronized String line(int calls, OfferClient client) {
    double[] sorted = timesMs.isEmpty() ? new double[1] : timesMs.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    Map<String, Object> summary = new TreeMap<>();
    summary.put("event", "\"done\"");
    summary.put("calls", calls);
    summary.put("returned", timesMs.size());
    summary.put("late", late);
    summary.put("exceptions", exceptions);
    summary.put("wrong_requests", wrongRequests);
    summary.put("sources", json(sources));
    summary.put("local_reasons", json(reasons));
    summary.put("last_local_reason", quoted(lastReason));
    summary.put("p50_ms", at(sorted, 0.5));
    summary.put("p99_ms", at(sorted, 0.99));
    summary.put("max_ms", at(sorted, 1));
    summary.put("outcomes_taken", client.outcomesTaken());
    summary.put("outcomes_dropped", client.outcomesDropped());
    return json(summary);
  }

  private static double at(double[] sorted, double share) {
    return Math.round(sorted[(int) (share * (sorted.length - 1))] * 100) / 100.0;
  }

  private static String quoted(String text) {
    return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + "\"";
  }

  private static String json(Map<String, ?> values) {
    return values.entrySet().stream()
        .map(one -> "\"" + one.getKey() + "\": " + one.getValue())
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String name(Source source) {
    return source.name().toLowerCase(Locale.ROOT);
  }

  private static double number(Map<String, String> options, String name, double otherwise) {
    return options.containsKey(name) ? Double.parseDouble(options.get(name)) : otherwise;
  }

  private static Security security(Map<String, String> options) throws IOException {
    if (!options.containsKey("tls-ca")) {
      return null;
    }
    String token = options.containsKey("token-file") ? Files.readString(Path.of(options.get("token-file"))).strip() : null;
    return new Security(
        Path.of(options.get("tls-ca")), path(options, "tls-cert"), path(options, "tls-key"), options.get("tls-name"), token);
  }

  private static Path path(Map<String, String> options, String name) {
    return options.containsKey(name) ? Path.of(options.get(name)) : null;
  }
}
