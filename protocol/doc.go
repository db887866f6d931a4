// Package protocol is Kafka's wire protocol below the messages: frames, headers, versions, error codes, and the only way
// in which requests are decoded.
//
//	FrameReader   length-prefixed frames off a connection; memory as bytes arrive     frame_reader.go, frame.go
//	Budget        the bytes that all connections hold; waits become back-pressure     budget.go
//	ParseHeader   request headers; which versions there are                           header.go, version.go
//	Decode        the structural walk, then kmsg                                      walk.go, decode.go
//	AppendResponse, FetchParts   response frames; Fetch as parts around its records   response.go, fetch_response.go
//	Code, Error   error codes as answers                                              code.go, error.go
//
// Nothing that a client sends is trusted before Walk has seen it: kmsg checks that lengths fit, not what they cost. A
// frame of a few bytes may announce a million elements, and each of these may decode to many times its size. The walk
// goes by tables that protocol/gen makes of Kafka's message definitions, and takes no memory.
package protocol

//go:generate go run ./gen -tree ..
