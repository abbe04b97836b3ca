package ensemblemesh.client;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.Test;

public final class PreferenceTest {
  private static final long MS = 1_000_000;

  private static JsonObject shared(String name) throws Exception {
    return JsonParser.parseString(Files.readString(Path.of("../conformance", name))).getAsJsonObject();
  }

  private static String hex(long value) {
    return String.format("%016x", value);
  }

  @Test
  public void hashesRanksOrdersAndBoundsAreThoseOfAllClients() throws Exception {
    JsonObject vectors = shared("preference.json");
    for (Map.Entry<String, JsonElement> one : vectors.getAsJsonObject("hashes").entrySet()) {
      assertEquals(one.getValue().getAsString(), hex(Preference.fnv1a(one.getKey())));
    }
    for (JsonElement element : vectors.getAsJsonArray("ranks")) {
      JsonObject one = element.getAsJsonObject();
      long rank =
          Preference.rank(
              Preference.fnv1a(one.get("address").getAsString()), Preference.fnv1a(one.get("player").getAsString()));
      assertEquals(one.get("rank").getAsString(), hex(rank));
    }
    for (JsonElement element : vectors.getAsJsonArray("orders")) {
      List<String> order = new ArrayList<>();
      element.getAsJsonObject().getAsJsonArray("order").forEach(address -> order.add(address.getAsString()));
      String player = element.getAsJsonObject().get("player").getAsString();
      assertEquals(order, Preference.ordered(player, order.stream().sorted().toList(), Preference::fnv1a));
    }
    for (JsonElement element : vectors.getAsJsonArray("most_open")) {
      JsonObject one = element.getAsJsonObject();
      int total = one.get("total").getAsInt();
      assertEquals(one.get("most_open").getAsInt(), Preference.mostOpen(total, one.get("supervisors").getAsInt()));
    }
  }

  @Test
  public void firstChoiceThatIsNotOverloadedGetsTheQuestion() {
    List<Integer> open = List.of(36, 12, 0);
    assertEquals((Integer) 12, Preference.choose(open, one -> true, one -> one)); // at most ceil(1.25 x 49 / 3) = 21
    assertEquals((Integer) 36, Preference.choose(open, one -> one == 36, one -> one));
    assertNull(Preference.choose(open, one -> false, one -> one));
  }

  @Test
  public void supervisorWithoutAnyAnswerIsStalledAfterFourTimesTheP95() {
    Health health = new Health();
    assertFalse(health.checkStall(40 * MS, 0, 10 * MS));
    assertTrue(health.checkStall(40 * MS + 1, 0, 10 * MS));
    assertFalse("reported once", health.checkStall(41 * MS, 0, 10 * MS));
    assertTrue(health.isStalled());
  }

  @Test
  public void stalledSupervisorGetsAProbeNowAndThenUntilItAnswers() {
    Health health = new Health();
    long stalled = 1000 * MS;
    assertTrue(health.checkStall(stalled, 0, 10 * MS));
    assertFalse(health.takesProbe(stalled + Health.PROBE / 2));
    assertTrue(health.takesProbe(stalled + Health.PROBE));
    assertFalse(health.takesProbe(stalled + Health.PROBE));
    health.recordAnswer(stalled + 2 * Health.PROBE);
    assertFalse(health.isStalled());
  }

  @Test
  public void failuresInARowEjectForLongerEachTime() {
    Health health = new Health();
    long now = 0;
    for (long seconds : new long[] {1, 2, 4, 8, 16, 30, 30, 30}) {
      for (int i = 0; i < Health.FAILURES; i++) {
        assertFalse(health.isEjected(now));
        health.recordFailure(now);
      }
      assertTrue(health.isEjected(now + seconds * 1000 * MS - 1));
      now += seconds * 1000 * MS;
    }
  }

  @Test
  public void p95FollowsTheLastAnswers() {
    AnswerTimes times = new AnswerTimes(75);
    for (int i = 0; i < 31; i++) {
      times.record(1);
    }
    assertEquals(75, times.p95());
    for (int i = 0; i < 10 * AnswerTimes.WINDOW; i++) {
      times.record(i % 10 == 0 ? 50 : 2);
    }
    assertEquals(50, times.p95());
  }

  @Test
  public void hedgesAreAShareOfTheRequestsAndFewerIfTheyAreOfNoUse() throws Exception {
    JsonObject shared = shared("hedging.json");
    assertEquals(shared.get("hedges_if_all_are_first").getAsInt(), hedges(shared, true), 2);
    assertEquals(shared.get("hedges_if_none_is_first").getAsInt(), hedges(shared, false), 2);
    assertFalse(new HedgeBudget(0).take());
  }

  private static int hedges(JsonObject shared, boolean areUseful) {
    HedgeBudget budget = new HedgeBudget(shared.get("percent").getAsDouble());
    int hedges = 0;
    for (int i = 0; i < shared.get("requests").getAsInt(); i++) {
      budget.recordRequest();
      if (budget.take()) {
        hedges++;
        if (!areUseful) {
          budget.recordUseless();
        }
      }
    }
    return hedges;
  }
}
