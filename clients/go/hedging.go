package ensemblemesh

import (
	"slices"
	"time"
)

const (
	window      = 256 // answers from which the p95 is learnt
	learnEvery  = 32
	mostSaved   = 10.0 // hedges that a quiet time may save for later
	uselessCost = 8.0  // a hedge that is not answered first costs as much as 8 hedges that are
)

// answerTimes learns the p95 of the time of an answer.
type answerTimes struct {
	p95   time.Duration
	times []time.Duration
	next  int
	since int
}

func (t *answerTimes) record(took time.Duration) {
	if len(t.times) < window {
		t.times = append(t.times, took)
	} else {
		t.times[t.next] = took
		t.next = (t.next + 1) % window
	}
	t.since++
	if t.since == learnEvery {
		t.since = 0
		sorted := slices.Sorted(slices.Values(t.times))
		t.p95 = sorted[int(0.95*float64(len(sorted)))]
	}
}

// hedgeBudget allows hedges for a share of the requests if each is answered first, and for an eighth of that if none is. A
// hedge costs the second supervisor a read of the player, so hedges become rare while they do not help.
type hedgeBudget struct {
	share  float64
	tokens float64
}

func newHedgeBudget(percent float64) hedgeBudget {
	if percent <= 0 {
		return hedgeBudget{}
	}
	return hedgeBudget{share: percent / 100, tokens: 1}
}

func (b *hedgeBudget) recordRequest() { b.tokens = min(mostSaved, b.tokens+b.share) }

func (b *hedgeBudget) take() bool {
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// recordUseless: another supervisor has answered before the hedge.
func (b *hedgeBudget) recordUseless() { b.tokens -= uselessCost - 1 }
