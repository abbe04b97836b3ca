package ensemblemesh

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"google.golang.org/protobuf/proto"

	"ensemble-mesh/clients/go/offersv1"
)

// Question asks for the offers of a player. The fields are those of GetOfferRequest; only PlayerID is required.
type Question struct {
	PlayerID    string
	Context     map[string]any // bool, string, or a number
	OfferIDs    []string
	Limit       uint32 // 0 means 1
	Version     string
	Deadline    time.Duration // 0: that of the client
	Traceparent string
}

// question is a request that waits for its answer. The lock of the client guards it.
type question struct {
	request    *offersv1.GetOfferRequest
	preference []*supervisor
	asked      map[*supervisor]time.Time // that have not answered
	sendings   int
	hedged     *supervisor // that got a copy because the first was slow
	isDone     bool
	result     chan result
}

type result struct {
	answer Answer
	err    error
}

// requestOf returns the message of a question. A message that cannot be encoded would end the stream of all others.
func requestOf(game string, ask Question, within time.Duration) (*offersv1.GetOfferRequest, error) {
	values, err := contextValues(ask.Context)
	if err != nil {
		return nil, err
	}
	request := &offersv1.GetOfferRequest{
		Game: game, PlayerId: ask.PlayerID, Context: values, OfferIds: ask.OfferIDs, Limit: ask.Limit, Version: ask.Version,
		Traceparent: ask.Traceparent, DeadlineMs: uint32(min(max(1, within.Milliseconds()), math.MaxUint32)),
	}
	if _, err := proto.Marshal(request); err != nil {
		return nil, &WrongRequestError{invalidArgument, fmt.Sprintf("the request cannot be encoded: %s", err)}
	}
	return request, nil
}

func contextValues(values map[string]any) (map[string]*offersv1.ContextValue, error) {
	if len(values) == 0 {
		return nil, nil
	}
	converted := make(map[string]*offersv1.ContextValue, len(values))
	for name, value := range values {
		one := contextValue(reflect.ValueOf(value))
		if one == nil {
			fault := fmt.Sprintf("context.%s: is of type %T; give a bool, a number or a string", name, value)
			return nil, &WrongRequestError{invalidArgument, fault}
		}
		converted[name] = one
	}
	return converted, nil
}

func contextValue(value reflect.Value) *offersv1.ContextValue {
	switch {
	case value.Kind() == reflect.Bool:
		return &offersv1.ContextValue{Kind: &offersv1.ContextValue_Flag{Flag: value.Bool()}}
	case value.Kind() == reflect.String:
		return &offersv1.ContextValue{Kind: &offersv1.ContextValue_Text{Text: value.String()}}
	case value.IsValid() && value.CanInt():
		return numberValue(float64(value.Int()))
	case value.IsValid() && value.CanUint():
		return numberValue(float64(value.Uint()))
	case value.IsValid() && value.CanFloat():
		return numberValue(value.Float())
	}
	return nil
}

func numberValue(number float64) *offersv1.ContextValue {
	return &offersv1.ContextValue{Kind: &offersv1.ContextValue_Number{Number: number}}
}
