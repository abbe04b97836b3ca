package ensemblemesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"ensemble-mesh/clients/go/offersv1"
)

const long = 20 * time.Second // a deadline that no answer needs

// scripted is a supervisor that answers each request with what answer returns; nil: never.
type scripted struct {
	offersv1.UnimplementedOffersServer
	address string
	mu      sync.Mutex
	answer  func(*offersv1.GetOfferRequest) *offersv1.GetOfferResponse
	asked   []string
	taken   []string
}

func best(request *offersv1.GetOfferRequest) *offersv1.GetOfferResponse {
	offers := []*offersv1.RankedOffer{{OfferId: "best"}}
	return &offersv1.GetOfferResponse{RequestId: request.RequestId, Source: offersv1.Source_ENSEMBLE, Offers: offers, DecisionId: "d"}
}

func never(*offersv1.GetOfferRequest) *offersv1.GetOfferResponse { return nil }

func (s *scripted) StreamOffers(stream offersv1.Offers_StreamOffersServer) error {
	var sending sync.Mutex
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil
		}
		s.mu.Lock()
		s.asked = append(s.asked, request.PlayerId)
		answer := s.answer
		s.mu.Unlock()
		go func() {
			if response := answer(request); response != nil {
				sending.Lock()
				defer sending.Unlock()
				stream.Send(response)
			}
		}()
	}
}

func (s *scripted) StreamOutcomes(stream offersv1.Offers_StreamOutcomesServer) error {
	for {
		report, err := stream.Recv()
		if err != nil {
			return nil
		}
		s.mu.Lock()
		s.taken = append(s.taken, report.OutcomeId)
		s.mu.Unlock()
		stream.Send(&offersv1.ReportOutcomeResponse{})
	}
}

func (s *scripted) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func serve(t *testing.T, answer func(*offersv1.GetOfferRequest) *offersv1.GetOfferResponse) *scripted {
	s := &scripted{answer: answer}
	s.address = listen(t, s)
	return s
}

// listen serves on a port of 127.0.0.1 until the end of the test, and returns its address.
func listen(t *testing.T, service offersv1.OffersServer) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	offersv1.RegisterOffersServer(server, service)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func quiet(options Options) Options {
	options.Game, options.Fallback = "g", "mine"
	options.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return options
}

func connect(t *testing.T, options Options, servers ...*scripted) *Client {
	options = quiet(options)
	if options.Deadline == 0 {
		options.Deadline = long
	}
	var targets []string
	for _, one := range servers {
		targets = append(targets, one.address)
	}
	client, err := New(context.Background(), targets, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	until(func() bool {
		client.mu.Lock()
		defer client.mu.Unlock()
		for _, one := range client.supervisors {
			if !one.isConnected() {
				return false
			}
		}
		return len(client.supervisors) == len(servers)
	})
	return client
}

func until(isTrue func() bool) {
	for !isTrue() {
		time.Sleep(time.Millisecond)
	}
}

func ask(t *testing.T, client *Client, question Question) Answer {
	answer, err := client.GetOffer(context.Background(), question)
	if err != nil {
		t.Error(err)
	}
	return answer
}

func expect(t *testing.T, answer Answer, source Source, reason string) {
	t.Helper()
	if answer.Source != source || answer.Reason != reason || answer.OfferID() == "" {
		t.Errorf("%+v, expected %s %q", answer, source, reason)
	}
}

func TestQuestionsThatFoundNoRoomAreAskedWhenThereIsRoom(t *testing.T) {
	gate := make(chan struct{})
	mesh := serve(t, func(request *offersv1.GetOfferRequest) *offersv1.GetOfferResponse { <-gate; return best(request) })
	client := connect(t, Options{Links: 1, HedgePercent: -1}, mesh)
	var asking sync.WaitGroup
	for i := range mostUnanswered + 20 {
		asking.Go(func() { expect(t, ask(t, client, Question{PlayerID: fmt.Sprint(i)}), Ensemble, "") })
	}
	until(func() bool { return mesh.requests() == mostUnanswered })
	close(gate)
	asking.Wait()
}

func TestClosingAnswersTheQuestionsThatWereSent(t *testing.T) {
	mesh := serve(t, never)
	client := connect(t, Options{}, mesh)
	answers := make(chan Answer)
	go func() { answers <- ask(t, client, Question{PlayerID: "p"}) }()
	until(func() bool { return mesh.requests() == 1 })
	client.Close()
	expect(t, <-answers, Local, "the client is closed")
	expect(t, ask(t, client, Question{PlayerID: "p"}), Local, "the client is closed")
}

func TestSilentMeshGivesTheFallbackAtTheDeadline(t *testing.T) {
	client := connect(t, Options{Deadline: 100 * time.Millisecond}, serve(t, never))
	expect(t, ask(t, client, Question{PlayerID: "p"}), Local, "no answer in time")
}

func TestCancelledQuestionsAreNoFailuresOfTheSupervisor(t *testing.T) {
	mesh := serve(t, never)
	client := connect(t, Options{}, mesh)
	for i := range 2 * failuresToEject {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { until(func() bool { return mesh.requests() > i }); cancel() }()
		answer, _ := client.GetOffer(ctx, Question{PlayerID: "p"})
		expect(t, answer, Local, "the question was cancelled")
	}
	client.mu.Lock()
	defer client.mu.Unlock()
	if client.supervisors[mesh.address].health.isEjected(time.Now()) {
		t.Error("the supervisor is ejected")
	}
}

func TestRequestThatCannotBeEncodedIsWrongAndLosesNoOtherQuestion(t *testing.T) {
	mesh := serve(t, best)
	client := connect(t, Options{}, mesh)
	for _, wrong := range []Question{{PlayerID: "\xff"}, {Context: map[string]any{"level": []int{1}}}} {
		answer, err := client.GetOffer(context.Background(), wrong)
		var expected *WrongRequestError
		if !errors.As(err, &expected) || answer.OfferID() != "mine" {
			t.Error(answer, err)
		}
	}
	if client.ReportOutcome(&offersv1.ReportOutcomeRequest{OutcomeId: "\xff"}) == nil {
		t.Error("a report that cannot be encoded was taken")
	}
	question := Question{PlayerID: "p", Context: map[string]any{"a": uint8(1), "b": true, "c": "x", "d": float32(2)}}
	expect(t, ask(t, client, question), Ensemble, "")
	if mesh.requests() != 1 {
		t.Error(mesh.requests(), "requests")
	}
}

func TestAnswerWithoutAnOfferGivesTheFallback(t *testing.T) {
	empty := func(request *offersv1.GetOfferRequest) *offersv1.GetOfferResponse {
		return &offersv1.GetOfferResponse{RequestId: request.RequestId}
	}
	expect(t, ask(t, connect(t, Options{}, serve(t, empty)), Question{PlayerID: "p"}), Local, "the answer has no offer")
}

func TestRefusedCopyDoesNotTakeTheQuestionFromTheOtherSupervisor(t *testing.T) {
	gate := make(chan struct{})
	refuse := func(request *offersv1.GetOfferRequest) *offersv1.GetOfferResponse {
		defer close(gate)
		return &offersv1.GetOfferResponse{RequestId: request.RequestId, Error: &offersv1.Error{Code: resourceExhausted, Message: "busy"}}
	}
	late := func(request *offersv1.GetOfferRequest) *offersv1.GetOfferResponse { <-gate; return best(request) }
	first, second := serve(t, late), serve(t, refuse)
	client := connect(t, Options{HedgePercent: 100}, first, second)
	client.mu.Lock()
	client.times.p95 = 10 * time.Millisecond
	order := []*supervisor{client.supervisors[first.address], client.supervisors[second.address]}
	client.mu.Unlock()
	player := 0
	for ordered(fmt.Sprint(player), order)[0] != order[0] {
		player++
	}
	expect(t, ask(t, client, Question{PlayerID: fmt.Sprint(player)}), Ensemble, "")
}

func TestNameThatCannotBeLookedUpKeepsItsAddresses(t *testing.T) {
	targets, err := parseTargets([]string{"a.games:9000", "10.0.0.2:9000"})
	if err != nil {
		t.Fatal(err)
	}
	var failure error
	look := func(context.Context, string) ([]string, error) { return []string{"10.0.0.1"}, failure }
	for _, failure = range []error{nil, errors.New("not now")} {
		if found, _ := lookUp(context.Background(), targets, look); len(found) != 2 {
			t.Error(found)
		}
	}
}

func TestOutcomesAreTaken(t *testing.T) {
	mesh := serve(t, best)
	client := connect(t, Options{}, mesh)
	for i := range 250 {
		if err := client.ReportOutcome(&offersv1.ReportOutcomeRequest{OutcomeId: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	until(func() bool { taken, waiting, _ := client.Outcomes(); return taken == 250 && waiting == 0 })
}

func TestMissingFileIsReported(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "ca.pem")
	if _, err := dial("127.0.0.1:1", &Security{CA: missing}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
