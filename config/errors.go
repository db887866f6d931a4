package config

import (
	"errors"
	"fmt"
)

// What a refusal of a dynamic configuration wraps: the code that Kafka answers it with.
var (
	// ErrInvalid stands for INVALID_CONFIG.
	ErrInvalid = errors.New("invalid configuration")
	// ErrRequest stands for INVALID_REQUEST. Kafka answers so what is wrong with a broker's configuration.
	ErrRequest = errors.New("invalid request")
)

// refusal is a message for the client that wraps ErrInvalid or ErrRequest.
type refusal struct {
	message string
	code    error
}

func (r refusal) Error() string { return r.message }
func (r refusal) Unwrap() error { return r.code }

func invalidf(format string, args ...any) error {
	return refusal{fmt.Sprintf(format, args...), ErrInvalid}
}

func badRequestf(format string, args ...any) error {
	return refusal{fmt.Sprintf(format, args...), ErrRequest}
}
