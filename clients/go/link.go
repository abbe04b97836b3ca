package ensemblemesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"ensemble-mesh/clients/go/offersv1"
)

const (
	mostUnanswered           = 256 // of one stream; a supervisor reads no more
	connectLimit             = 2 * time.Second
	atOnce                   = 20 * time.Millisecond
	firstPause, longestPause = 100 * time.Millisecond, time.Second
	steady                   = 5 * time.Second // a stream that lasted so long was a success
)

// link is one connection to a supervisor with one stream of questions, opened again after each end. The lock of the client
// guards isUp, unanswered and outbox.
type link struct {
	owner      *supervisor
	isUp       bool
	unanswered map[string]bool
	outbox     chan *offersv1.GetOfferRequest
	logged     string
}

func newLink(owner *supervisor) *link {
	return &link{owner: owner, unanswered: map[string]bool{}, outbox: make(chan *offersv1.GetOfferRequest, mostUnanswered)}
}

func (l *link) isUsable() bool { return l.isUp && len(l.unanswered) < mostUnanswered }

// send needs a usable link: then the outbox has room.
func (l *link) send(request *offersv1.GetOfferRequest) {
	l.unanswered[request.RequestId] = true
	l.outbox <- request
}

func (l *link) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		answered, err := l.session(ctx)
		code := status.Code(err)
		isOverload := !answered && (code == codes.ResourceExhausted || code == codes.Canceled && ctx.Err() == nil)
		failure := ""
		if ctx.Err() == nil {
			failure = failureOf(err)
		}
		l.lose(failure, isOverload)
		if errors.Is(err, io.EOF) || time.Since(began) > steady {
			failures = 0
		} else {
			failures++
		}
		l.log(failure)
		select {
		case <-ctx.Done():
		case <-time.After(pauseAfter(failures)):
		}
	}
}

// session serves one stream until it ends; returns whether it gave an answer, and its error: io.EOF if it ended with OK.
func (l *link) session(ctx context.Context) (answered bool, err error) {
	connection, err := dial(l.owner.address, l.owner.client.options.Security)
	if err != nil {
		return false, err
	}
	defer connection.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	impatience := time.AfterFunc(connectLimit, cancel)
	stream, err := offersv1.NewOffersClient(connection).StreamOffers(ctx)
	if !impatience.Stop() && err == nil || err != nil && ctx.Err() != nil {
		err = status.Error(codes.Unavailable, fmt.Sprintf("no connection within %g s", connectLimit.Seconds()))
	}
	if err != nil {
		return false, err
	}
	go write(ctx, stream, l.outbox)
	l.goUp()
	for {
		response, err := stream.Recv()
		if err != nil {
			return answered, err
		}
		answered = true
		l.take(response)
	}
}

func write(ctx context.Context, stream offersv1.Offers_StreamOffersClient, outbox <-chan *offersv1.GetOfferRequest) {
	for {
		select {
		case <-ctx.Done():
			return
		case request := <-outbox:
			if stream.Send(request) != nil {
				return // the stream has ended: the reader gets the reason
			}
		}
	}
}

func (l *link) goUp() {
	client := l.owner.client
	client.mu.Lock()
	defer client.mu.Unlock()
	l.isUp = true
	l.owner.health.recordConnection()
	client.onUp()
}

func (l *link) take(response *offersv1.GetOfferResponse) {
	client := l.owner.client
	client.mu.Lock()
	defer client.mu.Unlock()
	l.logged = ""
	delete(l.unanswered, response.RequestId)
	l.owner.onResponse(response)
}

func (l *link) lose(failure string, isOverload bool) {
	client := l.owner.client
	client.mu.Lock()
	defer client.mu.Unlock()
	l.isUp = false
	lost := l.unanswered
	l.unanswered = map[string]bool{}
	l.outbox = make(chan *offersv1.GetOfferRequest, mostUnanswered)
	if failure != "" {
		client.onFailure(l.owner.address + ": " + failure)
	}
	for id := range lost {
		l.owner.onLost(id, isOverload)
	}
}

// log logs each failure once, until an answer has come.
func (l *link) log(failure string) {
	if failure != "" && failure != l.logged {
		l.logged = failure
		l.owner.client.options.Logger.Warn("no connection to the supervisor", "address", l.owner.address, "reason", failure)
	}
}

func pauseAfter(failures int) time.Duration {
	if failures == 0 {
		return rand.N(atOnce)
	}
	longest := min(longestPause, firstPause<<min(failures-1, 10))
	return longest/2 + rand.N(longest/2)
}
