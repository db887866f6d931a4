package protocol

// RequestHeader opens every request. Version 1 of it, or 2 where the API's version is flexible.
type RequestHeader struct {
	Key           Key
	Version       int16
	CorrelationID int32
	// ClientID is the client's name for itself; nil and empty are different on the wire and alike to us.
	ClientID *string
}
