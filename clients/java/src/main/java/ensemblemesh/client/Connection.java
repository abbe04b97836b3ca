package ensemblemesh.client;

import io.grpc.CallCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import ensemblemesh.offers.v1.OffersGrpc;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A connection to one supervisor. */
final class Connection implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  final OffersGrpc.OffersStub stub;
  private final ManagedChannel channel;

  /** Opens a connection; it connects at its first use. Throws IOException if a file cannot be read. */
  Connection(InetSocketAddress address, Security security) throws IOException {
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress(address)
            .disableRetry()
            .keepAliveTime(10, TimeUnit.SECONDS) // gRPC for Java sends no more pings
            .keepAliveTimeout(1, TimeUnit.SECONDS)
            .keepAliveWithoutCalls(true)
            .proxyDetector(target -> null);
    if (security == null) {
      builder.usePlaintext();
    } else {
      builder.sslContext(tls(security));
      if (security.serverName() != null) {
        builder.overrideAuthority(security.serverName());
      }
    }
    channel = builder.build();
    OffersGrpc.OffersStub plain = OffersGrpc.newStub(channel);
    stub = security == null || security.token() == null ? plain : plain.withCallCredentials(bearer(security.token()));
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  private static SslContext tls(Security security) throws IOException {
    for (Path file : Stream.of(security.ca(), security.cert(), security.key()).filter(Objects::nonNull).toList()) {
      if (!Files.isReadable(file)) {
        throw new IOException(file + ": cannot be read"); // Netty's message does not name the file
      }
    }
    try {
      SslContextBuilder tls = GrpcSslContexts.forClient().trustManager(security.ca().toFile());
      if (security.cert() != null) {
        tls.keyManager(security.cert().toFile(), security.key().toFile());
      }
      return tls.build();
    } catch (IllegalArgumentException error) {
      throw new IOException(security.ca() + ", " + security.cert() + " or " + security.key() + ": " + error.getMessage(), error);
    }
  }

  private static CallCredentials bearer(String token) {
    Metadata headers = new Metadata();
    headers.put(AUTHORIZATION, "Bearer " + token);
    return new CallCredentials() {
      @Override
      public void applyRequestMetadata(RequestInfo info, Executor executor, MetadataApplier applier) {
        applier.apply(headers);
      }
    };
  }
}
