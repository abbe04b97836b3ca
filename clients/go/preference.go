package ensemblemesh

import (
	"hash/fnv"
	"math"
	"sort"
)

// Which supervisor a player goes to: rendezvous hashing with bounded load, the same in the clients of all languages
// (clients/README.md).

const (
	loadFactor = 1.25 // a supervisor may have this multiple of the mean number of open requests
	leastBound = 16   // so many are not a load: without this, two requests at the same time would part their players
)

func hashOf(text string) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(text))
	return hash.Sum64()
}

// rank returns the rank of a supervisor for a player, mixed as by splitmix64; the highest is the first choice.
func rank(address, player uint64) uint64 {
	value := (address ^ player) + 0x9E3779B97F4A7C15
	value = (value ^ value>>30) * 0xBF58476D1CE4E5B9
	value = (value ^ value>>27) * 0x94D049BB133111EB
	return value ^ value>>31
}

func mostOpen(total, supervisors int) int {
	return max(leastBound, int(math.Ceil(loadFactor*float64(total+1)/float64(supervisors))))
}

// ordered returns supervisors in the order in which the player prefers them.
func ordered(player string, supervisors []*supervisor) []*supervisor {
	playerHash := hashOf(player)
	order := append([]*supervisor(nil), supervisors...)
	sort.Slice(order, func(i, j int) bool { return rank(order[i].hash, playerHash) > rank(order[j].hash, playerHash) })
	return order
}

// choose returns the first of order that is usable and not overloaded, the first usable if all are, or nil.
func choose(order []*supervisor, isUsable func(*supervisor) bool) *supervisor {
	var usable []*supervisor
	total := 0
	for _, one := range order {
		if isUsable(one) {
			usable = append(usable, one)
			total += len(one.questions)
		}
	}
	if len(usable) == 0 {
		return nil
	}
	bound := mostOpen(total, len(usable))
	for _, one := range usable {
		if len(one.questions) < bound {
			return one
		}
	}
	return usable[0]
}
