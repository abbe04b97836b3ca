// The answer to a question: the offers to show, and where they come from.
const SOURCES = { ENSEMBLE: "ensemble", PARTIAL: "partial", FALLBACK: "fallback" };

/** Returns the answer in a response without an error; `fallback` if it has no offer to show. */
export function ofResponse(response, fallback) {
  if (!response.offers?.length) return local(fallback, "the answer has no offer");
  const offers = response.offers.map((one) => ({
    offerId: one.offer_id,
    score: one._score ? one.score : undefined,
    expectedRevenue: one._expected_revenue ? one.expected_revenue : undefined,
  }));
  return {
    offerId: offers[0].offerId,
    offers,
    source: SOURCES[response.source] ?? "fallback",
    reason: response.reason ?? "",
    version: response.version ?? "",
    decisionId: response.decision_id ?? "",
    response,
  };
}

/** Returns the answer of the application itself. */
export function local(offerId, reason) {
  return { offerId, offers: [{ offerId }], source: "local", reason, version: "", decisionId: "" };
}
