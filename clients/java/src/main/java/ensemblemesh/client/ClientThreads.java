package ensemblemesh.client;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The lock of a client and its threads. The lock guards the questions, the supervisors and their links; the application never
 * runs under it.
 */
final class ClientThreads {
  private static final System.Logger LOG = System.getLogger("ensemblemesh.client");
  private final ReentrantLock lock = new ReentrantLock();
  private final ExecutorService workers = Executors.newCachedThreadPool(ClientThreads::daemon);
  private final ScheduledThreadPoolExecutor timers = new ScheduledThreadPoolExecutor(1, ClientThreads::daemon);
  private boolean isClosed; // guarded by the lock

  ClientThreads() {
    timers.setRemoveOnCancelPolicy(true);
    timers.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "ensemble-mesh client");
    thread.setDaemon(true);
    return thread;
  }

  static void warn(String text) {
    LOG.log(System.Logger.Level.WARNING, text);
  }

  /** Does work under the lock. */
  void locked(Runnable work) {
    lock.lock();
    try {
      work.run();
    } catch (RuntimeException error) { // no bug on one answer may end the timers or a stream
      LOG.log(System.Logger.Level.ERROR, "the client failed", error);
    } finally {
      lock.unlock();
    }
  }

  /** Does work on another thread without the lock, also while the client closes. */
  void unlocked(Runnable work) {
    workers.execute(work);
  }

  /** Does work under the lock after a pause, unless the client is closed. */
  ScheduledFuture<?> later(Runnable work, long pause, TimeUnit unit) {
    return timers.schedule(() -> locked(work), pause, unit);
  }

  /** Does work under the lock again and again. */
  void every(long pauseMs, Runnable work) {
    timers.scheduleAtFixedRate(() -> locked(work), pauseMs, pauseMs, TimeUnit.MILLISECONDS);
  }

  /** Whether the client is closed; the lock is held. */
  boolean isClosed() {
    return isClosed;
  }

  /** Begins the closing; the lock is held. */
  void markClosed() {
    isClosed = true;
  }

  /** Ends the threads when their work is done. */
  void end() {
    timers.shutdown();
    workers.shutdown();
  }

  boolean haveEnded() {
    return timers.isShutdown();
  }
}
