package ensemblemesh

import (
	"slices"
	"testing"
	"time"
)

const testP95 = 10 * time.Millisecond

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestSupervisorWithoutAnyAnswerIsStalledAfterFourTimesTheP95(t *testing.T) {
	var h health
	if h.checkStall(start.Add(4*testP95), start, testP95) {
		t.Error("stalled too early")
	}
	if !h.checkStall(start.Add(4*testP95+1), start, testP95) {
		t.Error("not stalled")
	}
	if h.checkStall(start.Add(4*testP95+2), start, testP95) {
		t.Error("reported twice")
	}
}

func TestAnswersToOtherQuestionsShowThatASupervisorIsNotStalled(t *testing.T) {
	var h health
	h.recordAnswer(start.Add(900 * time.Millisecond))
	if h.checkStall(start.Add(930*time.Millisecond), start, testP95) {
		t.Error("stalled")
	}
}

func TestFailuresInARowEjectForLongerEachTime(t *testing.T) {
	var h health
	now, pauses := start, []time.Duration{}
	for range 8 {
		for range failuresToEject {
			h.recordFailure(now)
		}
		pauses = append(pauses, h.ejectedUntil.Sub(now))
		now = h.ejectedUntil
		if h.isEjected(now) {
			t.Fatal("still ejected")
		}
	}
	s := time.Second
	if !slices.Equal(pauses, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s}) {
		t.Error(pauses)
	}
}

func TestStalledSupervisorGetsAProbeNowAndThenUntilItAnswers(t *testing.T) {
	var h health
	now := start.Add(time.Second)
	h.checkStall(now, start, testP95)
	if h.takesProbe(now.Add(probeEvery/2)) || !h.takesProbe(now.Add(probeEvery)) || h.takesProbe(now.Add(probeEvery)) {
		t.Error("wrong probes")
	}
	h.recordAnswer(now.Add(2 * probeEvery))
	if h.isStalled || h.takesProbe(now.Add(time.Hour)) {
		t.Error("still stalled")
	}
}

func TestHedgesAreAShareOfTheRequestsAndFewerIfTheyAreOfNoUse(t *testing.T) {
	var shared struct {
		Percent  float64
		Requests int
		All      int `json:"hedges_if_all_are_first"`
		None     int `json:"hedges_if_none_is_first"`
	}
	read(t, "hedging.json", &shared)
	for areUseful, expected := range map[bool]int{true: shared.All, false: shared.None} {
		budget, hedges := newHedgeBudget(shared.Percent), 0
		for range shared.Requests {
			budget.recordRequest()
			if budget.take() {
				hedges++
				if !areUseful {
					budget.recordUseless()
				}
			}
		}
		if hedges < expected-2 || hedges > expected+2 {
			t.Error(areUseful, hedges)
		}
	}
	if none := newHedgeBudget(-1); none.take() {
		t.Error("a client without hedges has one")
	}
}

func TestP95FollowsTheLastAnswers(t *testing.T) {
	times := answerTimes{p95: time.Second}
	for i := range 10 * window {
		took := 2 * time.Millisecond
		if i%10 == 0 {
			took = 50 * time.Millisecond
		}
		times.record(took)
	}
	if times.p95 != 50*time.Millisecond {
		t.Error(times.p95)
	}
}
