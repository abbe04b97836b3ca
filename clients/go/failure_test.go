package ensemblemesh

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"ensemble-mesh/clients/go/offersv1"
)

func TestCodesHaveTheirNamesInTheDocumentationOfGrpc(t *testing.T) {
	names := map[codes.Code]string{codes.OK: "OK", codes.Canceled: "CANCELLED", codes.DeadlineExceeded: "DEADLINE_EXCEEDED"}
	for code, name := range names {
		if codeName(code) != name {
			t.Error(codeName(code), name)
		}
	}
}

// refusing is a supervisor that ends every stream with PERMISSION_DENIED.
type refusing struct {
	offersv1.UnimplementedOffersServer
}

func (refusing) StreamOffers(offersv1.Offers_StreamOffersServer) error {
	return status.Error(codes.PermissionDenied, "lobby may not call StreamOffers")
}

func TestLocalAnswerHasTheReasonOfTheLastFailure(t *testing.T) {
	address := listen(t, refusing{})
	options := quiet(Options{Deadline: 300 * time.Millisecond, Connect: time.Millisecond})
	for _, one := range []struct{ address, expected string }{
		{address, address + ": PERMISSION_DENIED: lobby may not call StreamOffers"},
		{"127.0.0.1:1", "no supervisor is connected: 127.0.0.1:1: UNAVAILABLE: "},
	} {
		client, err := New(context.Background(), []string{one.address}, options)
		if err != nil {
			t.Fatal(err)
		}
		if answer := ask(t, client, Question{PlayerID: "p"}); !strings.Contains(answer.Reason, one.expected) {
			t.Error(answer.Reason)
		}
		client.Close()
	}
}
