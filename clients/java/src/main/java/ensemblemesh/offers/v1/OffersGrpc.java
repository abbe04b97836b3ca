package ensemblemesh.offers.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
 * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
 * request was read. Treat them as the reason `overloaded`, and do not retry at once.
 * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
 * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
 * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
 * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class OffersGrpc {

  private OffersGrpc() {}

  public static final java.lang.String SERVICE_NAME = "mesh.v1.Offers";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<ensemblemesh.offers.v1.GetOfferRequest,
      ensemblemesh.offers.v1.GetOfferResponse> getGetOfferMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetOffer",
      requestType = ensemblemesh.offers.v1.GetOfferRequest.class,
      responseType = ensemblemesh.offers.v1.GetOfferResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<ensemblemesh.offers.v1.GetOfferRequest,
      ensemblemesh.offers.v1.GetOfferResponse> getGetOfferMethod() {
    io.grpc.MethodDescriptor<ensemblemesh.offers.v1.GetOfferRequest, ensemblemesh.offers.v1.GetOfferResponse> getGetOfferMethod;
    if ((getGetOfferMethod = OffersGrpc.getGetOfferMethod) == null) {
      synchronized (OffersGrpc.class) {
        if ((getGetOfferMethod = OffersGrpc.getGetOfferMethod) == null) {
          OffersGrpc.getGetOfferMethod = getGetOfferMethod =
              io.grpc.MethodDescriptor.<ensemblemesh.offers.v1.GetOfferRequest, ensemblemesh.offers.v1.GetOfferResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetOffer"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.GetOfferRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.GetOfferResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OffersMethodDescriptorSupplier("GetOffer"))
              .build();
        }
      }
    }
    return getGetOfferMethod;
  }

  private static volatile io.grpc.MethodDescriptor<ensemblemesh.offers.v1.GetOfferRequest,
      ensemblemesh.offers.v1.GetOfferResponse> getStreamOffersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamOffers",
      requestType = ensemblemesh.offers.v1.GetOfferRequest.class,
      responseType = ensemblemesh.offers.v1.GetOfferResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
  public static io.grpc.MethodDescriptor<ensemblemesh.offers.v1.GetOfferRequest,
      ensemblemesh.offers.v1.GetOfferResponse> getStreamOffersMethod() {
    io.grpc.MethodDescriptor<ensemblemesh.offers.v1.GetOfferRequest, ensemblemesh.offers.v1.GetOfferResponse> getStreamOffersMethod;
    if ((getStreamOffersMethod = OffersGrpc.getStreamOffersMethod) == null) {
      synchronized (OffersGrpc.class) {
        if ((getStreamOffersMethod = OffersGrpc.getStreamOffersMethod) == null) {
          OffersGrpc.getStreamOffersMethod = getStreamOffersMethod =
              io.grpc.MethodDescriptor.<ensemblemesh.offers.v1.GetOfferRequest, ensemblemesh.offers.v1.GetOfferResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamOffers"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.GetOfferRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.GetOfferResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OffersMethodDescriptorSupplier("StreamOffers"))
              .build();
        }
      }
    }
    return getStreamOffersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ScoreRequest,
      ensemblemesh.offers.v1.ScoreResponse> getScoreMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Score",
      requestType = ensemblemesh.offers.v1.ScoreRequest.class,
      responseType = ensemblemesh.offers.v1.ScoreResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ScoreRequest,
      ensemblemesh.offers.v1.ScoreResponse> getScoreMethod() {
    io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ScoreRequest, ensemblemesh.offers.v1.ScoreResponse> getScoreMethod;
    if ((getScoreMethod = OffersGrpc.getScoreMethod) == null) {
      synchronized (OffersGrpc.class) {
        if ((getScoreMethod = OffersGrpc.getScoreMethod) == null) {
          OffersGrpc.getScoreMethod = getScoreMethod =
              io.grpc.MethodDescriptor.<ensemblemesh.offers.v1.ScoreRequest, ensemblemesh.offers.v1.ScoreResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Score"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.ScoreRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.ScoreResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OffersMethodDescriptorSupplier("Score"))
              .build();
        }
      }
    }
    return getScoreMethod;
  }

  private static volatile io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ReportOutcomeRequest,
      ensemblemesh.offers.v1.ReportOutcomeResponse> getReportOutcomeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ReportOutcome",
      requestType = ensemblemesh.offers.v1.ReportOutcomeRequest.class,
      responseType = ensemblemesh.offers.v1.ReportOutcomeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ReportOutcomeRequest,
      ensemblemesh.offers.v1.ReportOutcomeResponse> getReportOutcomeMethod() {
    io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ReportOutcomeRequest, ensemblemesh.offers.v1.ReportOutcomeResponse> getReportOutcomeMethod;
    if ((getReportOutcomeMethod = OffersGrpc.getReportOutcomeMethod) == null) {
      synchronized (OffersGrpc.class) {
        if ((getReportOutcomeMethod = OffersGrpc.getReportOutcomeMethod) == null) {
          OffersGrpc.getReportOutcomeMethod = getReportOutcomeMethod =
              io.grpc.MethodDescriptor.<ensemblemesh.offers.v1.ReportOutcomeRequest, ensemblemesh.offers.v1.ReportOutcomeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ReportOutcome"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.ReportOutcomeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.ReportOutcomeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OffersMethodDescriptorSupplier("ReportOutcome"))
              .build();
        }
      }
    }
    return getReportOutcomeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ReportOutcomeRequest,
      ensemblemesh.offers.v1.ReportOutcomeResponse> getStreamOutcomesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "StreamOutcomes",
      requestType = ensemblemesh.offers.v1.ReportOutcomeRequest.class,
      responseType = ensemblemesh.offers.v1.ReportOutcomeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
  public static io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ReportOutcomeRequest,
      ensemblemesh.offers.v1.ReportOutcomeResponse> getStreamOutcomesMethod() {
    io.grpc.MethodDescriptor<ensemblemesh.offers.v1.ReportOutcomeRequest, ensemblemesh.offers.v1.ReportOutcomeResponse> getStreamOutcomesMethod;
    if ((getStreamOutcomesMethod = OffersGrpc.getStreamOutcomesMethod) == null) {
      synchronized (OffersGrpc.class) {
        if ((getStreamOutcomesMethod = OffersGrpc.getStreamOutcomesMethod) == null) {
          OffersGrpc.getStreamOutcomesMethod = getStreamOutcomesMethod =
              io.grpc.MethodDescriptor.<ensemblemesh.offers.v1.ReportOutcomeRequest, ensemblemesh.offers.v1.ReportOutcomeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "StreamOutcomes"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.ReportOutcomeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  ensemblemesh.offers.v1.ReportOutcomeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OffersMethodDescriptorSupplier("StreamOutcomes"))
              .build();
        }
      }
    }
    return getStreamOutcomesMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static OffersStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OffersStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OffersStub>() {
        @java.lang.Override
        public OffersStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OffersStub(channel, callOptions);
        }
      };
    return OffersStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static OffersBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OffersBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OffersBlockingV2Stub>() {
        @java.lang.Override
        public OffersBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OffersBlockingV2Stub(channel, callOptions);
        }
      };
    return OffersBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static OffersBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OffersBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OffersBlockingStub>() {
        @java.lang.Override
        public OffersBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OffersBlockingStub(channel, callOptions);
        }
      };
    return OffersBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static OffersFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OffersFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OffersFutureStub>() {
        @java.lang.Override
        public OffersFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OffersFutureStub(channel, callOptions);
        }
      };
    return OffersFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
   * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
   * request was read. Treat them as the reason `overloaded`, and do not retry at once.
   * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
   * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
   * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
   * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Returns the best offers for a player, ranked, before the caller's deadline.
     * </pre>
     */
    default void getOffer(ensemblemesh.offers.v1.GetOfferRequest request,
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetOfferMethod(), responseObserver);
    }

    /**
     * <pre>
     * GetOffer for busy game servers: many requests on one stream. Responses arrive in any order, each
     * as soon as it is ready; match them by `request_id`. The response to a wrong request has `error`
     * set; the other requests on the stream are not affected. The supervisor may end the stream with
     * status OK: when it stops, or to spread callers over all supervisors. It first answers the requests
     * that it has read. Open the stream again and repeat the requests without a response.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferRequest> streamOffers(
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getStreamOffersMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the ensemble's combined score for a player, without ranking offers.
     * </pre>
     */
    default void score(ensemblemesh.offers.v1.ScoreRequest request,
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ScoreResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getScoreMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reports what a player did with an offer: it was shown, clicked or purchased. The report goes into the log of
     * decisions and outcomes. Status OK: the supervisor has taken the report. RESOURCE_EXHAUSTED, CANCELLED that the
     * caller did not cause, UNAVAILABLE and DEADLINE_EXCEEDED: repeat the report after a pause, with the same
     * `outcome_id`. FAILED_PRECONDITION: the catalog of the game has no `decisions` block, so a repeated report fails, too.
     * </pre>
     */
    default void reportOutcome(ensemblemesh.offers.v1.ReportOutcomeRequest request,
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReportOutcomeMethod(), responseObserver);
    }

    /**
     * <pre>
     * ReportOutcome for busy game servers: many reports on one stream. One response comes for each report, in the order of
     * the reports. The response to a report that is wrong or was not taken has `error` set; the other reports are not
     * affected. A busy supervisor reads the stream more slowly, and may end it with status OK, as StreamOffers: open it
     * again and repeat the reports without a response.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeRequest> streamOutcomes(
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getStreamOutcomesMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service Offers.
   * <pre>
   * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
   * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
   * request was read. Treat them as the reason `overloaded`, and do not retry at once.
   * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
   * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
   * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
   * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
   * </pre>
   */
  public static abstract class OffersImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return OffersGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service Offers.
   * <pre>
   * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
   * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
   * request was read. Treat them as the reason `overloaded`, and do not retry at once.
   * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
   * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
   * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
   * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
   * </pre>
   */
  public static final class OffersStub
      extends io.grpc.stub.AbstractAsyncStub<OffersStub> {
    private OffersStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OffersStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OffersStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the best offers for a player, ranked, before the caller's deadline.
     * </pre>
     */
    public void getOffer(ensemblemesh.offers.v1.GetOfferRequest request,
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetOfferMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * GetOffer for busy game servers: many requests on one stream. Responses arrive in any order, each
     * as soon as it is ready; match them by `request_id`. The response to a wrong request has `error`
     * set; the other requests on the stream are not affected. The supervisor may end the stream with
     * status OK: when it stops, or to spread callers over all supervisors. It first answers the requests
     * that it has read. Open the stream again and repeat the requests without a response.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferRequest> streamOffers(
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncBidiStreamingCall(
          getChannel().newCall(getStreamOffersMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * Returns the ensemble's combined score for a player, without ranking offers.
     * </pre>
     */
    public void score(ensemblemesh.offers.v1.ScoreRequest request,
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ScoreResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getScoreMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reports what a player did with an offer: it was shown, clicked or purchased. The report goes into the log of
     * decisions and outcomes. Status OK: the supervisor has taken the report. RESOURCE_EXHAUSTED, CANCELLED that the
     * caller did not cause, UNAVAILABLE and DEADLINE_EXCEEDED: repeat the report after a pause, with the same
     * `outcome_id`. FAILED_PRECONDITION: the catalog of the game has no `decisions` block, so a repeated report fails, too.
     * </pre>
     */
    public void reportOutcome(ensemblemesh.offers.v1.ReportOutcomeRequest request,
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReportOutcomeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ReportOutcome for busy game servers: many reports on one stream. One response comes for each report, in the order of
     * the reports. The response to a report that is wrong or was not taken has `error` set; the other reports are not
     * affected. A busy supervisor reads the stream more slowly, and may end it with status OK, as StreamOffers: open it
     * again and repeat the reports without a response.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeRequest> streamOutcomes(
        io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncBidiStreamingCall(
          getChannel().newCall(getStreamOutcomesMethod(), getCallOptions()), responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service Offers.
   * <pre>
   * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
   * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
   * request was read. Treat them as the reason `overloaded`, and do not retry at once.
   * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
   * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
   * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
   * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
   * </pre>
   */
  public static final class OffersBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<OffersBlockingV2Stub> {
    private OffersBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OffersBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OffersBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the best offers for a player, ranked, before the caller's deadline.
     * </pre>
     */
    public ensemblemesh.offers.v1.GetOfferResponse getOffer(ensemblemesh.offers.v1.GetOfferRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetOfferMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * GetOffer for busy game servers: many requests on one stream. Responses arrive in any order, each
     * as soon as it is ready; match them by `request_id`. The response to a wrong request has `error`
     * set; the other requests on the stream are not affected. The supervisor may end the stream with
     * status OK: when it stops, or to spread callers over all supervisors. It first answers the requests
     * that it has read. Open the stream again and repeat the requests without a response.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<ensemblemesh.offers.v1.GetOfferRequest, ensemblemesh.offers.v1.GetOfferResponse>
        streamOffers() {
      return io.grpc.stub.ClientCalls.blockingBidiStreamingCall(
          getChannel(), getStreamOffersMethod(), getCallOptions());
    }

    /**
     * <pre>
     * Returns the ensemble's combined score for a player, without ranking offers.
     * </pre>
     */
    public ensemblemesh.offers.v1.ScoreResponse score(ensemblemesh.offers.v1.ScoreRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getScoreMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports what a player did with an offer: it was shown, clicked or purchased. The report goes into the log of
     * decisions and outcomes. Status OK: the supervisor has taken the report. RESOURCE_EXHAUSTED, CANCELLED that the
     * caller did not cause, UNAVAILABLE and DEADLINE_EXCEEDED: repeat the report after a pause, with the same
     * `outcome_id`. FAILED_PRECONDITION: the catalog of the game has no `decisions` block, so a repeated report fails, too.
     * </pre>
     */
    public ensemblemesh.offers.v1.ReportOutcomeResponse reportOutcome(ensemblemesh.offers.v1.ReportOutcomeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReportOutcomeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ReportOutcome for busy game servers: many reports on one stream. One response comes for each report, in the order of
     * the reports. The response to a report that is wrong or was not taken has `error` set; the other reports are not
     * affected. A busy supervisor reads the stream more slowly, and may end it with status OK, as StreamOffers: open it
     * again and repeat the reports without a response.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<ensemblemesh.offers.v1.ReportOutcomeRequest, ensemblemesh.offers.v1.ReportOutcomeResponse>
        streamOutcomes() {
      return io.grpc.stub.ClientCalls.blockingBidiStreamingCall(
          getChannel(), getStreamOutcomesMethod(), getCallOptions());
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service Offers.
   * <pre>
   * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
   * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
   * request was read. Treat them as the reason `overloaded`, and do not retry at once.
   * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
   * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
   * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
   * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
   * </pre>
   */
  public static final class OffersBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<OffersBlockingStub> {
    private OffersBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OffersBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OffersBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the best offers for a player, ranked, before the caller's deadline.
     * </pre>
     */
    public ensemblemesh.offers.v1.GetOfferResponse getOffer(ensemblemesh.offers.v1.GetOfferRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetOfferMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the ensemble's combined score for a player, without ranking offers.
     * </pre>
     */
    public ensemblemesh.offers.v1.ScoreResponse score(ensemblemesh.offers.v1.ScoreRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getScoreMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reports what a player did with an offer: it was shown, clicked or purchased. The report goes into the log of
     * decisions and outcomes. Status OK: the supervisor has taken the report. RESOURCE_EXHAUSTED, CANCELLED that the
     * caller did not cause, UNAVAILABLE and DEADLINE_EXCEEDED: repeat the report after a pause, with the same
     * `outcome_id`. FAILED_PRECONDITION: the catalog of the game has no `decisions` block, so a repeated report fails, too.
     * </pre>
     */
    public ensemblemesh.offers.v1.ReportOutcomeResponse reportOutcome(ensemblemesh.offers.v1.ReportOutcomeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReportOutcomeMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service Offers.
   * <pre>
   * Three statuses mean overload: RESOURCE_EXHAUSTED with a text that begins with "overloaded", CANCELLED
   * that the caller did not cause, and UNAVAILABLE. The supervisor or gRPC has refused the call before its
   * request was read. Treat them as the reason `overloaded`, and do not retry at once.
   * A mesh with callers in its catalog refuses unknown peers with UNAUTHENTICATED, what a caller may not do with
   * PERMISSION_DENIED, and requests over its quota with RESOURCE_EXHAUSTED, a text that begins with "over quota" and
   * the trailing metadata `grpc-retry-pushback-ms`. On a stream, a refused request gets a response with `error`.
   * Bytes that cannot be parsed get INVALID_ARGUMENT; they end a stream, after the responses to the requests before.
   * </pre>
   */
  public static final class OffersFutureStub
      extends io.grpc.stub.AbstractFutureStub<OffersFutureStub> {
    private OffersFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OffersFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OffersFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the best offers for a player, ranked, before the caller's deadline.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<ensemblemesh.offers.v1.GetOfferResponse> getOffer(
        ensemblemesh.offers.v1.GetOfferRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetOfferMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the ensemble's combined score for a player, without ranking offers.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<ensemblemesh.offers.v1.ScoreResponse> score(
        ensemblemesh.offers.v1.ScoreRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getScoreMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reports what a player did with an offer: it was shown, clicked or purchased. The report goes into the log of
     * decisions and outcomes. Status OK: the supervisor has taken the report. RESOURCE_EXHAUSTED, CANCELLED that the
     * caller did not cause, UNAVAILABLE and DEADLINE_EXCEEDED: repeat the report after a pause, with the same
     * `outcome_id`. FAILED_PRECONDITION: the catalog of the game has no `decisions` block, so a repeated report fails, too.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<ensemblemesh.offers.v1.ReportOutcomeResponse> reportOutcome(
        ensemblemesh.offers.v1.ReportOutcomeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReportOutcomeMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_OFFER = 0;
  private static final int METHODID_SCORE = 1;
  private static final int METHODID_REPORT_OUTCOME = 2;
  private static final int METHODID_STREAM_OFFERS = 3;
  private static final int METHODID_STREAM_OUTCOMES = 4;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_GET_OFFER:
          serviceImpl.getOffer((ensemblemesh.offers.v1.GetOfferRequest) request,
              (io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferResponse>) responseObserver);
          break;
        case METHODID_SCORE:
          serviceImpl.score((ensemblemesh.offers.v1.ScoreRequest) request,
              (io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ScoreResponse>) responseObserver);
          break;
        case METHODID_REPORT_OUTCOME:
          serviceImpl.reportOutcome((ensemblemesh.offers.v1.ReportOutcomeRequest) request,
              (io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_STREAM_OFFERS:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.streamOffers(
              (io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.GetOfferResponse>) responseObserver);
        case METHODID_STREAM_OUTCOMES:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.streamOutcomes(
              (io.grpc.stub.StreamObserver<ensemblemesh.offers.v1.ReportOutcomeResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getGetOfferMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              ensemblemesh.offers.v1.GetOfferRequest,
              ensemblemesh.offers.v1.GetOfferResponse>(
                service, METHODID_GET_OFFER)))
        .addMethod(
          getStreamOffersMethod(),
          io.grpc.stub.ServerCalls.asyncBidiStreamingCall(
            new MethodHandlers<
              ensemblemesh.offers.v1.GetOfferRequest,
              ensemblemesh.offers.v1.GetOfferResponse>(
                service, METHODID_STREAM_OFFERS)))
        .addMethod(
          getScoreMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              ensemblemesh.offers.v1.ScoreRequest,
              ensemblemesh.offers.v1.ScoreResponse>(
                service, METHODID_SCORE)))
        .addMethod(
          getReportOutcomeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              ensemblemesh.offers.v1.ReportOutcomeRequest,
              ensemblemesh.offers.v1.ReportOutcomeResponse>(
                service, METHODID_REPORT_OUTCOME)))
        .addMethod(
          getStreamOutcomesMethod(),
          io.grpc.stub.ServerCalls.asyncBidiStreamingCall(
            new MethodHandlers<
              ensemblemesh.offers.v1.ReportOutcomeRequest,
              ensemblemesh.offers.v1.ReportOutcomeResponse>(
                service, METHODID_STREAM_OUTCOMES)))
        .build();
  }

  private static abstract class OffersBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    OffersBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return ensemblemesh.offers.v1.OffersProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("Offers");
    }
  }

  private static final class OffersFileDescriptorSupplier
      extends OffersBaseDescriptorSupplier {
    OffersFileDescriptorSupplier() {}
  }

  private static final class OffersMethodDescriptorSupplier
      extends OffersBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    OffersMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (OffersGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new OffersFileDescriptorSupplier())
              .addMethod(getGetOfferMethod())
              .addMethod(getStreamOffersMethod())
              .addMethod(getScoreMethod())
              .addMethod(getReportOutcomeMethod())
              .addMethod(getStreamOutcomesMethod())
              .build();
        }
      }
    }
    return result;
  }
}
