package protocol

import (
	"errors"
	"fmt"
)

// Error is a Kafka code with a message for the person at the client: what is wrong and what to do.
type Error struct {
	Code    Code
	Message string
}

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Code.String() + ": " + e.Message }

// Unwrap lets errors.Is(err, protocol.InvalidRequest) find the code.
func (e *Error) Unwrap() error { return e.Code }

// CodeOf is the code that answers err: None for nil, the code that err wraps, and
// UnknownServerError for an error that nobody mapped.
func CodeOf(err error) Code {
	if err == nil {
		return None
	}
	var code Code
	if errors.As(err, &code) {
		return code
	}
	return UnknownServerError
}

// MessageOf is the message that answers err, nil where there is none: for nil and for a bare code.
func MessageOf(err error) *string {
	var e *Error
	if errors.As(err, &e) {
		return &e.Message
	}
	return nil
}
