package ensemblemesh.client;

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
  final boolean hasNames;

  Addresses(List<String> texts) {
    if (texts.isEmpty()) {
      throw new IllegalArgumentException("no address of a supervisor is given");
    }
    targets = texts.stream().map(Addresses::parsed).toList();
    hasNames = targets.stream().anyMatch(one -> !IP.matcher(one.group(1)).matches());
  }

  /** Returns the addresses by their text, such as {@code 10.0.0.7:9000}; names that are not found are left out. */
  Map<String, InetSocketAddress> lookUp() {
    Map<String, InetSocketAddress> found = new HashMap<>();
    for (Matcher target : targets) {
      int port = Integer.parseInt(target.group(2));
      try {
        for (InetAddress one : InetAddress.getAllByName(target.group(1))) {
          String host = one.getHostAddress();
          found.put(
              (host.contains(":") ? "[" + host + "]" : host) + ":" + port,
              new InetSocketAddress(InetAddress.getByAddress(host, one.getAddress()), port));
        }
      } catch (UnknownHostException error) {
        continue; // the addresses that are known stay in use
      }
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
