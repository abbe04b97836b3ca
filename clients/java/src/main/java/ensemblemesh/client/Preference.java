package ensemblemesh.client;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import java.util.function.ToLongFunction;

/**
 * Which supervisor a player goes to: rendezvous hashing with bounded load, the same in the clients of all languages
 * (clients/README.md).
 */
final class Preference {
  private static final double LOAD_FACTOR = 1.25; // a supervisor may have this multiple of the mean of open requests
  private static final int LEAST_BOUND = 16; // so many are not a load: or two requests at once would part their players

  private Preference() {}

  /** Returns the 64-bit FNV-1a hash of the UTF-8 bytes. */
  static long fnv1a(String text) {
    long value = 0xCBF29CE484222325L;
    for (byte one : text.getBytes(StandardCharsets.UTF_8)) {
      value = (value ^ (one & 0xFF)) * 0x100000001B3L;
    }
    return value;
  }

  /** Returns the rank of a supervisor for a player, mixed as by splitmix64; the highest, unsigned, is the first choice. */
  static long rank(long addressHash, long playerHash) {
    long value = (addressHash ^ playerHash) + 0x9E3779B97F4A7C15L;
    value = (value ^ (value >>> 30)) * 0xBF58476D1CE4E5B9L;
    value = (value ^ (value >>> 27)) * 0x94D049BB133111EBL;
    return value ^ (value >>> 31);
  }

  /** Returns how many open requests one of the usable supervisors may have, if all have {@code total}, with a new one. */
  static int mostOpen(int total, int supervisors) {
    return Math.max(LEAST_BOUND, (int) Math.ceil(LOAD_FACTOR * (total + 1) / supervisors));
  }

  /** Returns the supervisors in the order in which the player prefers them. */
  static <T> List<T> ordered(String player, Collection<T> supervisors, ToLongFunction<T> hashOf) {
    long playerHash = fnv1a(player);
    Comparator<T> byRank =
        (a, b) -> Long.compareUnsigned(rank(hashOf.applyAsLong(b), playerHash), rank(hashOf.applyAsLong(a), playerHash));
    return supervisors.stream().sorted(byRank).toList();
  }

  /** Returns the first that is usable and not overloaded, the first usable if all are, or null. */
  static <T> T choose(List<T> order, Predicate<T> isUsable, ToIntFunction<T> open) {
    List<T> usable = order.stream().filter(isUsable).toList();
    if (usable.isEmpty()) {
      return null;
    }
    int bound = mostOpen(usable.stream().mapToInt(open).sum(), usable.size());
    return usable.stream().filter(one -> open.applyAsInt(one) < bound).findFirst().orElse(usable.get(0));
  }
}
