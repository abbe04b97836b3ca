// Asks for offers at a fixed rate, and prints what came back: the program that the conformance suite runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	ensemblemesh "ensemble-mesh/clients/go"
	"ensemble-mesh/clients/go/offersv1"
)

const lateMS = 25.0 // beyond the deadline: the machine may have been busy

type tally struct {
	mu            sync.Mutex
	late          int
	exceptions    int
	wrongRequests int
	sources       map[string]int
	reasons       map[string]int
	lastReason    string
	timesMS       []float64
}

func main() {
	targets := flag.String("targets", "", "addresses of supervisors, with commas")
	game := flag.String("game", "", "")
	fallback := flag.String("fallback", "", "offer")
	rate := flag.Float64("rate", 200, "questions a second")
	seconds := flag.Float64("seconds", 30, "")
	deadlineMS := flag.Float64("deadline-ms", 250, "")
	players := flag.Int("players", 1000, "")
	wrongEvery := flag.Int("wrong-every", 0, "every Nth question is wrong; 0: none")
	outcomes := flag.Int("outcomes", 0, "outcomes to report")
	ca, cert, key := flag.String("tls-ca", "", ""), flag.String("tls-cert", "", ""), flag.String("tls-key", "", "")
	name, tokenFile := flag.String("tls-name", "", ""), flag.String("token-file", "", "")
	flag.Parse()

	options := ensemblemesh.Options{Game: *game, Fallback: *fallback, Deadline: time.Duration(*deadlineMS * 1e6)}
	if *ca != "" {
		options.Security = &ensemblemesh.Security{CA: *ca, Cert: *cert, Key: *key, ServerName: *name, Token: readToken(*tokenFile)}
	}
	client, err := ensemblemesh.New(context.Background(), strings.Split(*targets, ","), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(`{"event": "ready"}`)

	counts := tally{sources: map[string]int{"ensemble": 0, "partial": 0, "fallback": 0, "local": 0}, reasons: map[string]int{}}
	began := time.Now()
	calls := int(*rate * *seconds)
	var asking sync.WaitGroup
	for number := range calls {
		time.Sleep(time.Until(began.Add(time.Duration(float64(number) / *rate * 1e9))))
		question := ensemblemesh.Question{PlayerID: fmt.Sprintf("player-%05d", number%*players)}
		if *wrongEvery > 0 && number%*wrongEvery == 0 {
			question.OfferIDs = []string{"no-such-offer"}
		}
		asking.Go(func() {
			answer := counts.ask(client, question, *deadlineMS)
			if number < *outcomes && answer.DecisionID != "" {
				client.ReportOutcome(&offersv1.ReportOutcomeRequest{
					OutcomeId: answer.DecisionID + "-shown", DecisionId: answer.DecisionID, Kind: offersv1.OutcomeKind_SHOWN,
				})
			}
		})
	}
	asking.Wait()
	client.Close()
	taken, _, dropped := client.Outcomes()
	counts.print(calls, taken, dropped)
}

func (t *tally) ask(client *ensemblemesh.Client, question ensemblemesh.Question, deadlineMS float64) ensemblemesh.Answer {
	began := time.Now()
	answer, err := client.GetOffer(context.Background(), question)
	tookMS := float64(time.Since(began)) / 1e6
	t.mu.Lock()
	defer t.mu.Unlock()
	var wrong *ensemblemesh.WrongRequestError
	switch {
	case errors.As(err, &wrong):
		t.wrongRequests++
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		t.exceptions++
	default:
		t.sources[string(answer.Source)]++
		if answer.Source == ensemblemesh.Local {
			reason, _, _ := strings.Cut(answer.Reason, ":")
			t.reasons[reason]++
			t.lastReason = answer.Reason
		}
	}
	t.timesMS = append(t.timesMS, tookMS)
	if tookMS > deadlineMS+lateMS {
		t.late++
	}
	return answer
}

func (t *tally) print(calls, taken, dropped int) {
	times := slices.Sorted(slices.Values(append(t.timesMS, 0)))[min(1, len(t.timesMS)):]
	at := func(share float64) float64 { return math.Round(times[int(share*float64(len(times)-1))]*100) / 100 }
	line, _ := json.Marshal(map[string]any{
		"event": "done", "calls": calls, "returned": len(t.timesMS), "late": t.late, "exceptions": t.exceptions,
		"wrong_requests": t.wrongRequests, "sources": t.sources, "local_reasons": t.reasons, "last_local_reason": t.lastReason,
		"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1), "outcomes_taken": taken, "outcomes_dropped": dropped,
	})
	fmt.Println(string(line))
}

func readToken(path string) string {
	if path == "" {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return strings.TrimSpace(string(text))
}
