package ensemblemesh.client;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;

/** The supervisors of a client, as the latest look-up found them. The lock of the client guards them. */
final class Supervisors {
  private static final long LOOK_UP_MS = 10_000;
  private static final long FIRST_LOOK_UP_MS = 1_000; // until an address is known
  private final Addresses addresses;
  private final Duration deadline;
  private final ClientThreads threads;
  private final BiFunction<String, InetSocketAddress, Supervisor> opener;
  private final Map<String, Supervisor> known = new HashMap<>();
  private final Set<Supervisor> leaving = new HashSet<>();

  /** {@code opener} opens a supervisor by its address and place. Questions end within {@code deadline}. */
  Supervisors(
      List<String> targets,
      Duration deadline,
      ClientThreads threads,
      BiFunction<String, InetSocketAddress, Supervisor> opener) {
    this.addresses = new Addresses(targets);
    this.deadline = deadline;
    this.threads = threads;
    this.opener = opener;
  }

  Collection<Supervisor> all() {
    return known.values();
  }

  boolean areConnected() {
    return known.values().stream().anyMatch(Supervisor::isConnected);
  }

  /** Opens the supervisors at the addresses; a thread looks names up again and again. Needs no lock. */
  void follow() {
    if (!addresses.hasNames) {
      onAddresses(addresses.lookUp(InetAddress::getAllByName));
    } else {
      Thread lookUps = ClientThreads.daemon(this::followNames);
      lookUps.setName("ensemble-mesh names");
      lookUps.start();
    }
  }

  /** Opens new supervisors, and closes those that are gone after their last answers. Needs no lock. */
  void onAddresses(Map<String, InetSocketAddress> found) {
    threads.locked(
        () -> {
          if (!threads.isClosed()) {
            found.forEach((address, place) -> known.computeIfAbsent(address, text -> opener.apply(text, place)));
            List.copyOf(known.keySet()).stream().filter(address -> !found.containsKey(address)).forEach(this::remove);
          }
        });
  }

  /** Returns a usable supervisor, or null. Needs no lock. */
  Supervisor anyUsable() {
    Supervisor[] found = new Supervisor[1];
    threads.locked(
        () -> {
          long now = System.nanoTime();
          List<Supervisor> usable = known.values().stream().filter(one -> one.isUsable(now)).toList();
          found[0] = usable.isEmpty() ? null : usable.get(ThreadLocalRandom.current().nextInt(usable.size()));
        });
    return found[0];
  }

  /** Returns the number of supervisors that are connected. Needs no lock. */
  long countConnected() {
    long[] found = new long[1];
    threads.locked(() -> found[0] = known.values().stream().filter(Supervisor::isConnected).count());
    return found[0];
  }

  void close() {
    known.values().forEach(Supervisor::close);
    leaving.forEach(Supervisor::close);
  }

  private void followNames() {
    try {
      while (!threads.haveEnded()) {
        Map<String, InetSocketAddress> found = addresses.lookUp(InetAddress::getAllByName);
        if (!found.isEmpty()) {
          onAddresses(found);
        }
        Thread.sleep(found.isEmpty() ? FIRST_LOOK_UP_MS : LOOK_UP_MS);
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  private void remove(String address) {
    Supervisor gone = known.remove(address);
    leaving.add(gone);
    Runnable leave =
        () -> {
          leaving.remove(gone);
          gone.close();
        };
    threads.later(leave, deadline.toMillis(), TimeUnit.MILLISECONDS);
  }
}
