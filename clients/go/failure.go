package ensemblemesh

import (
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failureOf returns the status of a stream that ended, by its name in the documentation of gRPC, and its text; "" if it ended
// with OK. An error that is not a status, such as a missing file, is UNAVAILABLE.
func failureOf(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return ""
	}
	if found, ok := status.FromError(err); ok {
		return codeName(found.Code()) + ": " + found.Message()
	}
	return codeName(codes.Unavailable) + ": " + err.Error()
}

// codeName returns PERMISSION_DENIED for PermissionDenied, the name in Go.
func codeName(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED"
	}
	var name strings.Builder
	previous := 'A' // so that OK stays one word
	for _, letter := range code.String() {
		if letter >= 'A' && letter <= 'Z' && previous >= 'a' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
		previous = letter
	}
	return strings.ToUpper(name.String())
}
