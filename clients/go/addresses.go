package ensemblemesh

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	lookUpEvery      = 10 * time.Second
	firstLookUpEvery = time.Second // until an address is known
	lookUpLimit      = 5 * time.Second
)

type target struct {
	host, port string
	isName     bool
	known      []string // addresses of a name
}

func parseTargets(texts []string) ([]target, error) {
	if len(texts) == 0 {
		return nil, fmt.Errorf("no address of a supervisor is given")
	}
	targets := make([]target, 0, len(texts))
	for _, text := range texts {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(text, "dns:///"))
		if _, numeric := strconv.ParseUint(port, 10, 16); err != nil || numeric != nil || host == "" {
			return nil, fmt.Errorf("%q is not an address such as 10.0.0.7:9000 or a name such as mesh.games:9000", text)
		}
		targets = append(targets, target{host: host, port: port, isName: net.ParseIP(host) == nil})
	}
	return targets, nil
}

type lookUpHost func(ctx context.Context, host string) ([]string, error)

// follow looks up the names again and again; onChange gets the addresses after each look-up. A name that cannot be looked up
// keeps its addresses.
func follow(ctx context.Context, targets []target, look lookUpHost, onChange func(map[string]bool)) {
	for {
		found, names := lookUp(ctx, targets, look)
		if len(found) > 0 {
			onChange(found)
		}
		if !names {
			return
		}
		pause := lookUpEvery
		if len(found) == 0 {
			pause = firstLookUpEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func lookUp(ctx context.Context, targets []target, look lookUpHost) (found map[string]bool, names bool) {
	found = map[string]bool{}
	for i := range targets {
		one := &targets[i]
		if !one.isName {
			found[net.JoinHostPort(one.host, one.port)] = true
			continue
		}
		names = true
		limited, cancel := context.WithTimeout(ctx, lookUpLimit)
		hosts, err := look(limited, one.host)
		cancel()
		if err == nil && len(hosts) > 0 {
			one.known = hosts
		}
		for _, host := range one.known {
			found[net.JoinHostPort(host, one.port)] = true
		}
	}
	return found, names
}
