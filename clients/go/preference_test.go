package ensemblemesh

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

type vectors struct {
	Hashes map[string]string
	Ranks  []struct{ Address, Player, Rank string }
	Orders []struct {
		Player string
		Order  []string
	}
	MostOpen []struct {
		Total, Supervisors int
		MostOpen           int `json:"most_open"`
	} `json:"most_open"`
}

func readVectors(t *testing.T) (found vectors) {
	read(t, "preference.json", &found)
	return found
}

// read reads a file that the clients of all languages share.
func read(t *testing.T, name string, into any) {
	text, err := os.ReadFile("../conformance/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func TestHashesRanksOrdersAndBoundsAreThoseOfAllClients(t *testing.T) {
	found := readVectors(t)
	if len(found.Hashes) == 0 || len(found.Ranks) == 0 || len(found.Orders) == 0 || len(found.MostOpen) == 0 {
		t.Fatal("preference.json has other keys than expected")
	}
	for text, hash := range found.Hashes {
		if got := fmt.Sprintf("%016x", hashOf(text)); got != hash {
			t.Errorf("hash of %q: %s, expected %s", text, got, hash)
		}
	}
	for _, one := range found.Ranks {
		if got := fmt.Sprintf("%016x", rank(hashOf(one.Address), hashOf(one.Player))); got != one.Rank {
			t.Errorf("rank of %s for %q: %s, expected %s", one.Address, one.Player, got, one.Rank)
		}
	}
	for _, one := range found.Orders {
		var all []*supervisor
		for _, address := range slices.Sorted(slices.Values(one.Order)) {
			all = append(all, &supervisor{address: address, hash: hashOf(address)})
		}
		var order []string
		for _, supervisor := range ordered(one.Player, all) {
			order = append(order, supervisor.address)
		}
		if !slices.Equal(order, one.Order) {
			t.Errorf("order of %q: %v, expected %v", one.Player, order, one.Order)
		}
	}
	for _, one := range found.MostOpen {
		if got := mostOpen(one.Total, one.Supervisors); got != one.MostOpen {
			t.Errorf("most open of %+v: %d", one, got)
		}
	}
}

func TestFirstChoiceThatIsNotOverloadedGetsTheQuestion(t *testing.T) {
	with := func(open int) *supervisor {
		one := &supervisor{questions: map[string]*question{}}
		for i := range open {
			one.questions[fmt.Sprint(i)] = nil
		}
		return one
	}
	a, b, c := with(36), with(12), with(0)
	all := func(*supervisor) bool { return true }
	if choose([]*supervisor{a, b, c}, all) != b { // at most ceil(1.25 x 49 / 3) = 21
		t.Error("the overloaded first choice was taken")
	}
	if choose([]*supervisor{a, b, c}, func(one *supervisor) bool { return one == a }) != a {
		t.Error("the only usable supervisor was not taken")
	}
	if choose([]*supervisor{a}, func(*supervisor) bool { return false }) != nil {
		t.Error("a supervisor that is not usable was taken")
	}
}
