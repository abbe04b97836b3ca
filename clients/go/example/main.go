// Asks for the offer of one player, prints it, and reports that it was shown.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	ensemblemesh "ensemble-mesh/clients/go"
	"ensemble-mesh/clients/go/offersv1"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: example ADDRESS GAME PLAYER")
	}
	address, game, player := os.Args[1], os.Args[2], os.Args[3]
	mesh, err := ensemblemesh.New(context.Background(), []string{address}, ensemblemesh.Options{Game: game, Fallback: "starter-pack"})
	if err != nil {
		log.Fatal(err)
	}
	defer mesh.Close()
	answer, err := mesh.GetOffer(context.Background(), ensemblemesh.Question{PlayerID: player})
	if err != nil {
		log.Print(err) // the request is wrong: a developer must see it; the player gets the fallback
	}
	fmt.Printf("%s (%s) %s\n", answer.OfferID(), answer.Source, answer.Reason)
	if answer.DecisionID != "" {
		mesh.ReportOutcome(&offersv1.ReportOutcomeRequest{
			OutcomeId: answer.DecisionID + "-shown", DecisionId: answer.DecisionID, Kind: offersv1.OutcomeKind_SHOWN,
		})
	}
}
