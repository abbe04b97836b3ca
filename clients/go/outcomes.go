package ensemblemesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"ensemble-mesh/clients/go/offersv1"
)

const (
	mostReports                          = 10_000 // that wait
	batchSize                            = 100    // reports without an answer on the stream
	answerLimit                          = 5 * time.Second
	firstReportPause, longestReportPause = time.Second, 300 * time.Second
	closeLimit                           = time.Second
	mostLogged                           = 20 // reasons
)

var errNotConnected = errors.New("no supervisor is connected")

// outcomeReports sends reports in the background over one stream, and repeats them until a supervisor has taken them.
type outcomeReports struct {
	mu      sync.Mutex
	waiting []*offersv1.ReportOutcomeRequest
	taken   int
	dropped int
	logged  map[string]bool
	isNew   chan struct{}
}

func newOutcomeReports() *outcomeReports {
	return &outcomeReports{logged: map[string]bool{}, isNew: make(chan struct{}, 1)}
}

// ReportOutcome reports an outcome in the background. At most 10,000 reports wait; of more, the oldest are dropped. The game
// may be left out. The error is nil unless outcome_id is missing or the report cannot be encoded.
func (c *Client) ReportOutcome(report *offersv1.ReportOutcomeRequest) error {
	if report.GetOutcomeId() == "" {
		return errors.New("outcome_id: is missing; give the id of the transaction, or DECISION_ID-shown")
	}
	if _, err := proto.Marshal(report); err != nil { // it would end the stream of all others
		return fmt.Errorf("the report cannot be encoded: %w", err)
	}
	report = proto.Clone(report).(*offersv1.ReportOutcomeRequest)
	if report.Game == "" {
		report.Game = c.options.Game
	}
	reports := c.outcomes
	reports.mu.Lock()
	if len(reports.waiting) >= mostReports {
		reports.waiting = reports.waiting[1:]
		reports.dropped++
	}
	reports.waiting = append(reports.waiting, report)
	reports.mu.Unlock()
	select {
	case reports.isNew <- struct{}{}:
	default:
	}
	return nil
}

// Outcomes returns how many reports a supervisor has taken, how many wait, and how many were dropped.
func (c *Client) Outcomes() (taken, waiting, dropped int) {
	c.outcomes.mu.Lock()
	defer c.outcomes.mu.Unlock()
	return c.outcomes.taken, len(c.outcomes.waiting), c.outcomes.dropped
}

func (r *outcomeReports) run(ctx context.Context, c *Client) {
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.isNew:
		}
		for r.batch() != nil && ctx.Err() == nil {
			err := r.sendAll(ctx, c)
			if err == nil {
				failures = 0
				continue
			}
			failures++
			if !errors.Is(err, errNotConnected) && ctx.Err() == nil { // the links log why none is connected
				r.logOnce(c.options.Logger, "outcomes wait: "+err.Error())
			}
			longest := min(longestReportPause, firstReportPause<<min(failures-1, 10))
			select {
			case <-ctx.Done():
			case <-time.After(longest/2 + rand.N(longest/2)):
			}
		}
	}
}

// drain waits until all reports are taken, for closeLimit at most.
func (r *outcomeReports) drain(logger *slog.Logger) {
	limit := time.Now().Add(closeLimit)
	for r.batch() != nil && time.Now().Before(limit) {
		time.Sleep(tick)
	}
	if left := len(r.batch()); left > 0 {
		logger.Warn("outcomes were not reported", "at_least", left)
	}
}

func (r *outcomeReports) batch() []*offersv1.ReportOutcomeRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return nil
	}
	return append([]*offersv1.ReportOutcomeRequest(nil), r.waiting[:min(batchSize, len(r.waiting))]...)
}

func (r *outcomeReports) sendAll(ctx context.Context, c *Client) error {
	address := c.anyConnected()
	if address == "" {
		return errNotConnected
	}
	err := r.sendAllTo(ctx, c, address)
	if err == nil {
		return nil
	}
	reason := failureOf(err)
	if reason == "" {
		reason = "the supervisor ended the stream"
	}
	return fmt.Errorf("%s: %s", address, reason)
}

func (r *outcomeReports) sendAllTo(ctx context.Context, c *Client, address string) error {
	connection, err := dial(address, c.options.Security)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	impatience := time.AfterFunc(answerLimit, cancel)
	defer impatience.Stop()
	stream, err := offersv1.NewOffersClient(connection).StreamOutcomes(ctx)
	if err != nil {
		return err
	}
	for batch := r.batch(); batch != nil; batch = r.batch() {
		impatience.Reset(answerLimit)
		err := r.sendBatch(stream, batch, c.options.Logger)
		if ctx.Err() != nil {
			return errors.New("no answer in time")
		}
		if err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

func (r *outcomeReports) sendBatch(
	stream offersv1.Offers_StreamOutcomesClient, batch []*offersv1.ReportOutcomeRequest, logger *slog.Logger,
) error {
	for _, report := range batch {
		if stream.Send(report) != nil {
			break // the stream has ended: Recv has the reason
		}
	}
	var fault error
	for _, report := range batch {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		code := response.GetError().GetCode()
		if code != 0 && !isWrong(code) {
			fault = status.Error(codes.Code(code), response.Error.Message)
			continue
		}
		r.remove(report, code == 0)
		if code != 0 {
			r.logOnce(logger, "outcomes are dropped, because the mesh calls them wrong: "+response.Error.Message)
		}
	}
	return fault
}

func (r *outcomeReports) remove(report *offersv1.ReportOutcomeRequest, isTaken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isTaken {
		r.taken++
	}
	for i, one := range r.waiting[:min(batchSize, len(r.waiting))] {
		if one == report {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			return
		}
	}
}

// logOnce logs each text once.
func (r *outcomeReports) logOnce(logger *slog.Logger, text string) {
	if !r.logged[text] && len(r.logged) < mostLogged {
		r.logged[text] = true
		logger.Warn(text)
	}
}
