package ensemblemesh.client;

import java.util.Arrays;

/** Learns the p95 of the time of an answer, in nanoseconds. */
final class AnswerTimes {
  static final int WINDOW = 256; // answers from which the p95 is learnt
  private static final int LEARN_EVERY = 32;
  private final long[] times = new long[WINDOW];
  private int count;
  private long p95;

  AnswerTimes(long first) {
    p95 = first;
  }

  long p95() {
    return p95;
  }

  void record(long took) {
    times[count++ % WINDOW] = took;
    if (count == 2 * WINDOW) {
      count = WINDOW; // so that it never overflows
    }
    if (count % LEARN_EVERY == 0) {
      long[] sorted = Arrays.copyOf(times, Math.min(count, WINDOW));
      Arrays.sort(sorted);
      p95 = sorted[(int) (0.95 * sorted.length)];
    }
  }
}
