package ensemblemesh.client;

import com.google.common.net.InetAddresses;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The addresses of the supervisors: given, or looked up by DNS. */
final class Addresses {
  private static final Pattern TARGET = Pattern.compile("(?:dns:///)?\\[?([^\\[\\]]+?)]?:(\\d{1,5})");
  private static final Pattern IP = Pattern.compile("[0-9.]+|.*:.*");
  private final List<Matcher> targets;
  private final Map<Matcher, Map<String, InetSocketAddress>> known = new HashMap<>(); // used by one thread
  final boolean hasNames;

  Addresses(List<String> texts) {
    if (texts.isEmpty()) {
      throw new IllegalArgumentException("no address of a supervisor is given");
    }
    targets = texts.stream().map(Addresses::parsed).toList();
    hasNames = targets.stream().anyMatch(one -> !isIp(one));
  }

  private static boolean isIp(Matcher target) {
    return IP.matcher(target.group(1)).matches();
  }

  /** Looks up the addresses of a name. */
  interface Resolver {
    InetAddress[] allByName(String host) throws UnknownHostException;
  }

  /**
   * Returns the addresses by their text, such as {@code 10.0.0.7:9000}: as given, or as RFC 5952 writes them, because the text
   * decides the order in which players prefer supervisors. A name that cannot be looked up keeps its addresses.
   */
  Map<String, InetSocketAddress> lookUp(Resolver resolver) {
    Map<String, InetSocketAddress> found = new HashMap<>();
    for (Matcher target : targets) {
      try {
        known.put(target, addressesOf(target, resolver));
      } catch (UnknownHostException error) {
        // the addresses that are known stay in use
      }
      found.putAll(known.getOrDefault(target, Map.of()));
    }
    return found;
  }

  private static Map<String, InetSocketAddress> addressesOf(Matcher target, Resolver resolver) throws UnknownHostException {
    Map<String, InetSocketAddress> found = new HashMap<>();
    int port = Integer.parseInt(target.group(2));
    for (InetAddress one : resolver.allByName(target.group(1))) {
      String host = isIp(target) ? target.group(1) : InetAddresses.toAddrString(one);
      found.put(
          (host.contains(":") ? "[" + host + "]" : host) + ":" + port,
          new InetSocketAddress(InetAddress.getByAddress(host, one.getAddress()), port));
    }
    return found;
  }

  private static Matcher parsed(String text) {
    Matcher found = TARGET.matcher(text);
    if (!found.matches() || Integer.parseInt(found.group(2)) > 65535) {
      throw new IllegalArgumentException(
          "\"" + text + "\" is not an address such as 10.0.0.7:9000 or a name such as mesh.games:9000");
    }
    return found;
  }
}
