package ensemblemesh.client;

import ensemblemesh.offers.v1.GetOfferResponse;
import ensemblemesh.offers.v1.RankedOffer;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The offers to show, best first. {@code reason} says why it is not the answer of the whole ensemble. {@code decisionId} names
 * the answer in reports of outcomes; an answer of the source LOCAL has none, and no {@code response} (null).
 */
public record Answer(
    List<Offer> offers, Source source, String reason, String version, String decisionId, GetOfferResponse response) {

  /** Returns the offer to show first. */
  public String offerId() {
    return offers.get(0).id();
  }

  /** Returns the answer in a response without an error; the fallback if it has no offer to show. */
  static Answer of(GetOfferResponse response, String fallback) {
    if (response.getOffersCount() == 0) {
      return local(fallback, "the answer has no offer");
    }
    Source source =
        switch (response.getSource()) {
          case ENSEMBLE -> Source.ENSEMBLE;
          case PARTIAL -> Source.PARTIAL;
          default -> Source.FALLBACK;
        };
    List<Offer> offers = response.getOffersList().stream().map(Answer::offerOf).toList();
    return new Answer(
        offers, source, response.getReason(), response.getVersion(), response.getDecisionId(), response);
  }

  static Answer local(String offerId, String reason) {
    Offer offer = new Offer(offerId, OptionalDouble.empty(), OptionalDouble.empty());
    return new Answer(List.of(offer), Source.LOCAL, reason, "", "", null);
  }

  private static Offer offerOf(RankedOffer one) {
    return new Offer(
        one.getOfferId(),
        one.hasScore() ? OptionalDouble.of(one.getScore()) : OptionalDouble.empty(),
        one.hasExpectedRevenue() ? OptionalDouble.of(one.getExpectedRevenue()) : OptionalDouble.empty());
  }
}
