// Package ensemblemesh asks ensemble-mesh for offers: every question gets an answer before its deadline.
package ensemblemesh

import (
	"fmt"

	"ensemble-mesh/clients/go/offersv1"
)

// Source says who chose the offers of an answer.
type Source string

const (
	Ensemble Source = "ensemble" // every model of the version
	Partial  Source = "partial"  // a quorum of the models
	Fallback Source = "fallback" // the catalog of the game: the mesh works, but its models did not rank the offers
	Local    Source = "local"    // this application: the mesh did not answer in time
)

// Offer is an offer to show; a fallback has no score.
type Offer struct {
	ID              string
	Score           *float64
	ExpectedRevenue *float64
}

// Answer has the offers to show, best first. Reason says why it is not the answer of the whole ensemble. DecisionID names
// the answer in reports of outcomes; an answer with the source Local has none, and no Response.
type Answer struct {
	Offers     []Offer
	Source     Source
	Reason     string
	Version    string
	DecisionID string
	Response   *offersv1.GetOfferResponse
}

// OfferID returns the offer to show first.
func (a Answer) OfferID() string { return a.Offers[0].ID }

// WrongRequestError says that the mesh called the request wrong; the text names the field and the fix.
type WrongRequestError struct {
	Code    int32 // of google.rpc.Code
	Message string
}

func (e *WrongRequestError) Error() string { return fmt.Sprintf("wrong request: %s", e.Message) }

const invalidArgument, resourceExhausted = 3, 8

// isWrong reports codes that no repetition changes: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED.
func isWrong(code int32) bool { return code == 3 || code == 5 || code == 9 || code == 12 }

func answerOf(response *offersv1.GetOfferResponse, fallback string) Answer {
	if len(response.Offers) == 0 {
		return localAnswer(fallback, "the answer has no offer")
	}
	source := Fallback
	switch response.Source {
	case offersv1.Source_ENSEMBLE:
		source = Ensemble
	case offersv1.Source_PARTIAL:
		source = Partial
	}
	offers := make([]Offer, len(response.Offers))
	for i, one := range response.Offers {
		offers[i] = Offer{one.OfferId, one.Score, one.ExpectedRevenue}
	}
	return Answer{offers, source, response.Reason, response.Version, response.DecisionId, response}
}

func localAnswer(offerID, reason string) Answer {
	return Answer{Offers: []Offer{{ID: offerID}}, Source: Local, Reason: reason}
}
