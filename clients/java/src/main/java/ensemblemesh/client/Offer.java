package ensemblemesh.client;

import java.util.OptionalDouble;

/** An offer to show; a fallback has no score. */
public record Offer(String id, OptionalDouble score, OptionalDouble expectedRevenue) {}
