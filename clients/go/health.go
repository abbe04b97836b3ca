package ensemblemesh

import "time"

const (
	stallFactor                    = 4 // a supervisor that answers nothing for this multiple of the p95 is stalled
	shortestStall, longestStall    = 25 * time.Millisecond, 500 * time.Millisecond
	probeEvery                     = 250 * time.Millisecond
	failuresToEject                = 5
	firstEjection, longestEjection = time.Second, 30 * time.Second
)

// health is that of one supervisor, as its answers show it. Stalled: open requests, and no answer at all. Ejected: requests
// in a row failed or got no answer.
type health struct {
	isStalled    bool
	answered     time.Time
	failures     int
	ejections    int
	ejectedUntil time.Time
	probed       time.Time
}

func (h *health) isEjected(now time.Time) bool { return now.Before(h.ejectedUntil) }

// recordAnswer: any answer, also a late one, shows that the supervisor works.
func (h *health) recordAnswer(now time.Time) {
	h.answered = now
	h.isStalled = false
}

func (h *health) recordSuccess() { h.failures, h.ejections = 0, 0 }

// recordFailure counts a request that failed or got no answer before its deadline.
func (h *health) recordFailure(now time.Time) {
	h.failures++
	if h.failures >= failuresToEject {
		pause := min(longestEjection, firstEjection<<min(h.ejections, 10))
		h.failures, h.ejections, h.ejectedUntil = 0, h.ejections+1, now.Add(pause)
	}
}

// recordConnection: the supervisor behind a new connection may be another process.
func (h *health) recordConnection() {
	h.isStalled, h.failures, h.ejectedUntil = false, 0, time.Time{}
}

// checkStall reports whether the supervisor has stalled since the last check; its oldest request began at oldest (zero: none).
func (h *health) checkStall(now, oldest time.Time, p95 time.Duration) bool {
	if h.isStalled || oldest.IsZero() {
		return false
	}
	limit := min(longestStall, max(shortestStall, stallFactor*p95))
	since := oldest
	if h.answered.After(since) {
		since = h.answered
	}
	h.isStalled = now.Sub(since) > limit
	h.probed = now
	return h.isStalled
}

// takesProbe reports whether the stalled supervisor should get a copy of the next request; counts it if so.
func (h *health) takesProbe(now time.Time) bool {
	if !h.isStalled || now.Sub(h.probed) < probeEvery {
		return false
	}
	h.probed = now
	return true
}
