package ensemblemesh

import (
	"context"
	"errors"
	"time"
)

// Ending a question.

func (c *Client) expire(q *question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	why := notConnected
	for one := range q.asked {
		one.health.recordFailure(now)
		why = notInTime
	}
	c.settle(q, localAnswer(c.options.Fallback, c.because(why)))
}

// because adds the last failure of a connection to why.
func (c *Client) because(why string) string {
	if c.lastFailure == "" {
		return why
	}
	return why + ": " + c.lastFailure
}

// cancel: the end of ctx is its deadline, or the application needs no answer: then no supervisor is to blame.
func (c *Client) cancel(q *question, why error) {
	if errors.Is(why, context.DeadlineExceeded) {
		c.expire(q)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(q, localAnswer(c.options.Fallback, "the question was cancelled"))
}

func (c *Client) settle(q *question, answer Answer) { c.end(q, result{answer, nil}) }

func (c *Client) end(q *question, with result) {
	if !q.isDone {
		q.isDone = true
		c.drop(q)
		q.result <- with
	}
}

func (c *Client) forget(q *question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(q)
}

func (c *Client) drop(q *question) {
	delete(c.open, q)
	delete(c.waiting, q)
	for one := range q.asked {
		delete(one.questions, q.request.RequestId)
	}
}
