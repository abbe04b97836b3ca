package ensemblemesh

import (
	"context"
	"time"

	"ensemble-mesh/clients/go/offersv1"
)

// supervisor is one supervisor with its links, its open questions and its health. The lock of the client guards it.
type supervisor struct {
	client    *Client
	address   string
	hash      uint64
	health    health
	links     []*link
	questions map[string]*question
	stop      context.CancelFunc
}

func newSupervisor(ctx context.Context, client *Client, address string) *supervisor {
	ctx, stop := context.WithCancel(ctx)
	one := &supervisor{client: client, address: address, hash: hashOf(address), questions: map[string]*question{}, stop: stop}
	for range client.options.Links {
		link := newLink(one)
		one.links = append(one.links, link)
		client.running.Go(func() { link.run(ctx) })
	}
	return one
}

func (s *supervisor) isConnected() bool {
	for _, link := range s.links {
		if link.isUsable() {
			return true
		}
	}
	return false
}

func (s *supervisor) isUsable(now time.Time) bool {
	return s.isConnected() && !s.health.isStalled && !s.health.isEjected(now)
}

// ask sends a question; the supervisor must be connected. The links take turns.
func (s *supervisor) ask(q *question, now time.Time) {
	s.links = append(s.links[1:], s.links[0])
	for _, link := range s.links {
		if link.isUsable() {
			q.asked[s] = now
			q.sendings++
			s.questions[q.request.RequestId] = q
			link.send(q.request)
			return
		}
	}
}

// oldest returns when the oldest open question was sent; zero if there is none.
func (s *supervisor) oldest() time.Time {
	var oldest time.Time
	for _, q := range s.questions {
		if asked := q.asked[s]; oldest.IsZero() || asked.Before(oldest) {
			oldest = asked
		}
	}
	return oldest
}

func (s *supervisor) onResponse(response *offersv1.GetOfferResponse) {
	now := time.Now()
	s.health.recordAnswer(now)
	if q := s.questions[response.RequestId]; q != nil {
		delete(s.questions, response.RequestId)
		s.client.onResponse(s, q, response, now)
	}
	s.client.onRoom()
}

func (s *supervisor) onLost(id string, isOverload bool) {
	if q := s.questions[id]; q != nil {
		delete(s.questions, id)
		s.client.onLost(s, q, isOverload)
	}
}
