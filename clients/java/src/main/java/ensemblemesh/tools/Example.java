package ensemblemesh.tools;

import ensemblemesh.client.Answer;
import ensemblemesh.client.OfferClient;
import ensemblemesh.client.Question;
import ensemblemesh.offers.v1.OutcomeKind;
import ensemblemesh.offers.v1.ReportOutcomeRequest;

/** Asks for the offer of one player, prints it, and reports that it was shown. */
public final class Example {
  private Example() {}

  public static void main(String[] words) {
    if (words.length != 3) {
      System.err.println("usage: Example ADDRESS GAME PLAYER");
      System.exit(2);
    }
    try (OfferClient mesh = OfferClient.forGame(words[1], "starter-pack").connect(words[0])) {
      Answer answer = mesh.getOffer(Question.forPlayer(words[2])).join();
      System.out.println((answer.offerId() + " (" + answer.source() + ") " + answer.reason()).strip());
      if (!answer.decisionId().isEmpty()) {
        mesh.reportOutcome(
            ReportOutcomeRequest.newBuilder()
                .setOutcomeId(answer.decisionId() + "-shown")
                .setDecisionId(answer.decisionId())
                .setKind(OutcomeKind.SHOWN)
                .build());
      }
    }
  }
}
