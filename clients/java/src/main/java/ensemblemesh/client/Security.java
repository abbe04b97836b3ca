package ensemblemesh.client;

import java.nio.file.Path;

/**
 * PEM files, read for each connection: {@code ca} of the supervisors; {@code cert} and {@code key} (PKCS#8) if they ask for a
 * certificate. {@code serverName} is the name in the supervisors' certificate, if it is not their address. {@code token} is a
 * bearer token. All but {@code ca} may be null.
 */
public record Security(Path ca, Path cert, Path key, String serverName, String token) {
  @Override
  public String toString() {
    return "Security[ca=" + ca + ", cert=" + cert + ", serverName=" + serverName + "]"; // not the token
  }
}
