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
	lookUpEvery = 10 * time.Second
	lookUpLimit = 5 * time.Second
)

type target struct {
	host, port string
	isName     bool
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
		targets = append(targets, target{host, port, net.ParseIP(host) == nil})
	}
	return targets, nil
}

// follow looks up the names again and again; onChange gets the addresses after each look-up that found any.
func follow(ctx context.Context, targets []target, onChange func(map[string]bool)) {
	for {
		found, names := lookUp(ctx, targets)
		if len(found) > 0 {
			onChange(found)
		}
		if !names {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookUpEvery):
		}
	}
}

func lookUp(ctx context.Context, targets []target) (found map[string]bool, names bool) {
	found = map[string]bool{}
	for _, one := range targets {
		if !one.isName {
			found[net.JoinHostPort(one.host, one.port)] = true
			continue
		}
		names = true
		limited, cancel := context.WithTimeout(ctx, lookUpLimit)
		hosts, err := net.DefaultResolver.LookupHost(limited, one.host)
		cancel()
		if err != nil {
			continue // the addresses that are known stay in use
		}
		for _, host := range hosts {
			found[net.JoinHostPort(host, one.port)] = true
		}
	}
	return found, names
}
