package ensemblemesh

import (
	"context"
	"time"
)

// Asking the supervisors; c.mu is locked, unless a function locks it.

func (c *Client) ask(q *question, but *supervisor) {
	now := time.Now()
	if q.preference == nil {
		all := make([]*supervisor, 0, len(c.supervisors))
		for _, one := range c.supervisors {
			all = append(all, one)
		}
		q.preference = ordered(q.request.PlayerId, all)
	}
	first := c.choose(q, now, but)
	if first == nil {
		first = c.choose(q, now, nil)
	}
	if first == nil { // when every supervisor is slow, the machine or the network is the cause
		first = choose(q.preference, (*supervisor).isConnected)
	}
	if first == nil {
		c.wait(q)
		return
	}
	first.ask(q, now)
	c.probe(q, now)
}

func (c *Client) choose(q *question, now time.Time, but *supervisor) *supervisor {
	return choose(q.preference, func(one *supervisor) bool {
		_, isAsked := q.asked[one]
		return one != but && !isAsked && one.isUsable(now)
	})
}

func (c *Client) askAgain(q *question, but *supervisor, why string) {
	switch {
	case q.isDone || len(q.asked) > 0: // another supervisor has it
	case q.sendings >= mostSendings:
		c.settle(q, localAnswer(c.options.Fallback, why))
	default:
		c.ask(q, but)
	}
}

// refuse: overload is not retried; but another supervisor that has the question may answer.
func (c *Client) refuse(q *question, why string) {
	if len(q.asked) == 0 {
		c.settle(q, localAnswer(c.options.Fallback, "overloaded: "+why))
	}
}

func (c *Client) wait(q *question) {
	q.preference = nil // other supervisors may be known when it is asked
	if len(c.waiting) < mostWaiting {
		c.waiting[q] = true
	} else {
		c.settle(q, localAnswer(c.options.Fallback, c.because(notConnected)))
	}
}

// probe sends a copy to a stalled supervisor now and then: its answer shows that it works again.
func (c *Client) probe(q *question, now time.Time) {
	for _, one := range q.preference {
		if _, isAsked := q.asked[one]; !isAsked && one.isConnected() && one.health.takesProbe(now) {
			one.ask(q, now)
			return
		}
	}
}

func (c *Client) hedge(q *question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.isDone || len(q.asked) != 1 || q.sendings >= mostSendings {
		return
	}
	now := time.Now()
	if second := c.choose(q, now, nil); second != nil && c.budget.take() {
		q.hedged = second
		second.ask(q, now)
	}
}

// watch takes the questions of a stalled supervisor to the others.
func (c *Client) watch(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.checkStalls()
		}
	}
}

func (c *Client) checkStalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, one := range c.supervisors {
		if !one.health.checkStall(now, one.oldest(), c.times.p95) {
			continue
		}
		for _, q := range one.questions {
			if other := c.choose(q, now, one); other != nil && !q.isDone && q.sendings < mostSendings {
				other.ask(q, now)
			}
		}
	}
}
