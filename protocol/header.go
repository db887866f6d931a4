package protocol

import "encoding/binary"

// RequestHeader opens every request. Version 1 of it, or 2 where the API's version is flexible.
type RequestHeader struct {
	Key           Key
	Version       int16
	CorrelationID int32
	// ClientID is the client's name for itself; nil and empty are different on the wire and alike to us.
	ClientID *string
}

// headerBytesMin is the smallest header: key, version, correlation id and a null client id.
const headerBytesMin = 2 + 2 + 4 + 2

// ParseHeader reads the header of a frame (without its length prefix) and returns the bytes after it.
//
// Errors: InvalidRequest for a frame that is no request, or of an unknown key; UnsupportedVersion for a version outside
// MinVersion and MaxVersion. h is filled as far as it could be read, so that ApiVersions can answer a version it does
// not know (KIP-511). Nothing of h aliases the frame.
func ParseHeader(frame []byte) (h RequestHeader, body []byte, err error) {
	if len(frame) < headerBytesMin {
		return h, nil, Errorf(InvalidRequest, "a frame of %d bytes holds no request header", len(frame))
	}
	h.Key = Key(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	if !h.Key.known() {
		return h, nil, Errorf(InvalidRequest, "unknown API key %d", h.Key)
	}
	body, err = h.readRest(frame[8:])
	if err == nil && (h.Version < MinVersion(h.Key) || h.Version > MaxVersion(h.Key)) {
		err = Errorf(UnsupportedVersion, "%s version %d is not between %d and %d",
			h.Key, h.Version, MinVersion(h.Key), MaxVersion(h.Key))
	}
	if err != nil {
		return h, nil, err
	}
	return h, body, nil
}

// readRest reads the client id, a classic nullable string in both header versions, and the tags of header version 2,
// none of which is known. As in Kafka, any negative length is null.
func (h *RequestHeader) readRest(b []byte) (body []byte, err error) {
	n := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	if n > len(b) {
		return nil, Errorf(InvalidRequest, "a client id of %d bytes in a frame that has %d left", n, len(b))
	}
	if n >= 0 {
		id := string(b[:n])
		h.ClientID = &id
		b = b[n:]
	}
	if h.Version < FlexibleFrom(h.Key) {
		return b, nil
	}
	return skipTags(b)
}
