package ensemblemesh

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"ensemble-mesh/clients/go/offersv1"
)

const (
	mostSendings    = 4 // of one question, with its hedge
	tick            = 10 * time.Millisecond
	firstHedgeShare = 0.3 // of the deadline, until the p95 is learnt
	mostWaiting     = 10_000
	closedReason    = "the client is closed"
	notConnected    = "no supervisor is connected"
	notInTime       = "no answer in time"
	connectionLost  = "the connection was lost"
)

// Options of a client. Game and Fallback are required; the zero values of the others mean the defaults.
type Options struct {
	Game         string        // as named in its catalog
	Fallback     string        // the offer to show if the mesh does not answer in time
	Deadline     time.Duration // of a question (default 250 ms)
	Security     *Security     // nil: connections are plaintext
	Links        int           // connections to each supervisor (default 2)
	HedgePercent float64       // of the questions may go to a second supervisor (default 2; negative: none)
	Connect      time.Duration // how long New waits for a connection (default 5 s)
	Logger       *slog.Logger  // default: slog.Default()
}

// Client asks the supervisors. Create one when your program starts, and keep it; it is safe for concurrent use.
type Client struct {
	options Options
	prefix  string
	stop    context.CancelFunc
	running sync.WaitGroup

	mu          sync.Mutex // guards everything below, and all supervisors and links
	number      uint64
	supervisors map[string]*supervisor
	open        map[*question]bool
	waiting     map[*question]bool // no supervisor is connected and has room
	times       answerTimes
	budget      hedgeBudget
	isConnected bool
	isClosed    bool
	lastFailure string // of a connection, since the last answer
	connected   chan struct{}
	outcomes    *outcomeReports
}

// New connects to the supervisors at targets: addresses such as 10.0.0.7:9000, or names that DNS resolves to all of them.
// It waits for a connection for Options.Connect at most; without one, the answers are fallbacks until there is one.
func New(ctx context.Context, targets []string, options Options) (*Client, error) {
	places, err := parseTargets(targets)
	if err != nil {
		return nil, err
	}
	if options.Game == "" || options.Fallback == "" {
		return nil, errors.New("Options: Game and Fallback are required")
	}
	setDefaults(&options)
	prefix := make([]byte, 6)
	rand.Read(prefix)
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{
		options:     options,
		prefix:      hex.EncodeToString(prefix) + "-",
		stop:        stop,
		supervisors: map[string]*supervisor{},
		open:        map[*question]bool{},
		waiting:     map[*question]bool{},
		times:       answerTimes{p95: time.Duration(firstHedgeShare * float64(options.Deadline))},
		budget:      newHedgeBudget(options.HedgePercent),
		connected:   make(chan struct{}),
		outcomes:    newOutcomeReports(),
	}
	c.running.Go(func() {
		follow(working, places, net.DefaultResolver.LookupHost, func(found map[string]bool) { c.onAddresses(working, found) })
	})
	c.running.Go(func() { c.watch(working) })
	c.running.Go(func() { c.outcomes.run(working, c) })
	select {
	case <-c.connected:
	case <-time.After(options.Connect):
	case <-ctx.Done():
	}
	return c, nil
}

func setDefaults(options *Options) {
	if options.Deadline == 0 {
		options.Deadline = 250 * time.Millisecond
	}
	if options.Links == 0 {
		options.Links = 2
	}
	if options.HedgePercent == 0 {
		options.HedgePercent = 2
	}
	if options.Connect == 0 {
		options.Connect = 5 * time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
}

// Close sends the outcomes that wait, for a second at most; answers the open questions; closes all connections.
func (c *Client) Close() {
	c.outcomes.drain(c.options.Logger)
	c.mu.Lock()
	c.isClosed = true
	for q := range c.open {
		c.settle(q, localAnswer(c.options.Fallback, closedReason))
	}
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
}

// GetOffer returns the best offers for a player, by the deadline of the question or of ctx, or when ctx is cancelled. The
// error is nil or a *WrongRequestError; every other failure gives the fallback, whose source is Local. The answer always has
// an offer.
func (c *Client) GetOffer(ctx context.Context, ask Question) (Answer, error) {
	within := ask.Deadline
	if within == 0 {
		within = c.options.Deadline
	}
	if deadline, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(deadline))
	}
	request, err := requestOf(c.options.Game, ask, within)
	if err != nil {
		return localAnswer(c.options.Fallback, "wrong request"), err
	}
	q := &question{request: request, asked: map[*supervisor]time.Time{}, result: make(chan result, 1)}
	hedge := time.NewTimer(c.begin(q))
	defer hedge.Stop()
	expiry := time.NewTimer(within)
	defer expiry.Stop()
	defer c.forget(q)
	for {
		select {
		case got := <-q.result:
			return got.answer, got.err
		case <-hedge.C:
			c.hedge(q)
		case <-expiry.C:
			c.expire(q)
		case <-ctx.Done():
			c.cancel(q, ctx.Err())
		}
	}
}

// begin asks, and returns the time after which a hedge is due.
func (c *Client) begin(q *question) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	q.request.RequestId = c.prefix + strconv.FormatUint(c.number, 10)
	if c.isClosed {
		c.settle(q, localAnswer(c.options.Fallback, closedReason))
		return c.times.p95
	}
	c.open[q] = true
	c.budget.recordRequest()
	c.ask(q, nil)
	return c.times.p95
}

// Events of the supervisors; c.mu is locked.

func (c *Client) onUp() {
	if !c.isConnected {
		c.isConnected = true
		close(c.connected)
	}
	c.onRoom()
}

// onRoom asks questions that wait, while a supervisor has room.
func (c *Client) onRoom() {
	for q := range c.waiting {
		if !c.hasRoom() {
			return
		}
		delete(c.waiting, q)
		c.ask(q, nil)
	}
}

func (c *Client) hasRoom() bool {
	for _, one := range c.supervisors {
		if one.isConnected() {
			return true
		}
	}
	return false
}

func (c *Client) onResponse(s *supervisor, q *question, response *offersv1.GetOfferResponse, now time.Time) {
	asked := q.asked[s]
	delete(q.asked, s)
	c.lastFailure = ""
	code := response.GetError().GetCode()
	switch {
	case code == 0:
		s.health.recordSuccess()
		c.times.record(now.Sub(asked))
		if q.hedged != nil && q.hedged != s {
			c.budget.recordUseless()
		}
		c.settle(q, answerOf(response, c.options.Fallback))
	case isWrong(code):
		s.health.recordSuccess()
		c.end(q, result{localAnswer(c.options.Fallback, "wrong request"), &WrongRequestError{code, response.Error.Message}})
	case code == resourceExhausted:
		c.refuse(q, response.Error.Message)
	default:
		s.health.recordFailure(now)
		c.askAgain(q, s, response.Error.Message)
	}
}

func (c *Client) onLost(s *supervisor, q *question, isOverload bool) {
	delete(q.asked, s)
	if isOverload {
		c.refuse(q, "the supervisor refused the stream")
	} else {
		c.askAgain(q, s, c.because(connectionLost))
	}
}

// onFailure: a connection failed, which is the reason of local answers until a supervisor answers.
func (c *Client) onFailure(failure string) { c.lastFailure = failure }

// The supervisors.

func (c *Client) onAddresses(ctx context.Context, found map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for address := range found {
		if c.supervisors[address] == nil {
			c.supervisors[address] = newSupervisor(ctx, c, address)
		}
	}
	for address, one := range c.supervisors {
		if !found[address] {
			delete(c.supervisors, address)
			time.AfterFunc(c.options.Deadline, one.stop) // its last answers
		}
	}
}

// anyConnected returns the address of a usable supervisor, or "".
func (c *Client) anyConnected() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for address, one := range c.supervisors { // in random order
		if one.isUsable(now) {
			return address
		}
	}
	return ""
}
