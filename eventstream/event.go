package eventstream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EndEvent is the name of the last event of a stream whose session has ended. Its data
// is [ReasonLoggedOut] or [ReasonExpired].
const EndEvent = "session-end"

// The data of the last event.
const (
	ReasonLoggedOut = "logged out"      // it was destroyed, regenerated or revoked, here or elsewhere
	ReasonExpired   = "session expired" // its idle or absolute timeout has passed
)

// ErrField is the error for an event that cannot be sent; its text says why. The stream goes
// on.
var ErrField = errors.New("eventstream: this event cannot be sent")

// Event is one message to the client. A field that is empty is not sent.
type Event struct {
	// Name is the name for the page's addEventListener(name, …). The browser's default is
	// "message". It has no line break, and is not EndEvent.
	Name string

	// ID is what the browser sends when it connects again, see [Stream.LastID]. It has no line break and no NUL.
	ID string

	// Data is the text. Each of its lines may end with LF, CR or both: the page gets LF.
	// The page does not get an event without a name and data, but the browser uses its
	// ID and Retry.
	Data string

	// Retry is how long the browser waits before it connects again, from this event on,
	// in whole milliseconds.
	Retry time.Duration
}

// Each of these ends a line, so a field must not contain one (HTML, section
// 9.2.5, "Parsing an event stream").
const lineEnds = "\r\n"

var lines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func (e *Event) check() error {
	switch {
	case strings.ContainsAny(e.Name, lineEnds):
		return fmt.Errorf("%w: Name %q has a line break", ErrField, e.Name)
	case e.Name == EndEvent:
		return fmt.Errorf("%w: %q is the name of the stream's own last event; take another", ErrField, EndEvent)
	case strings.ContainsAny(e.ID, lineEnds+"\x00"):
		return fmt.Errorf("%w: ID %q has a line break or a NUL", ErrField, e.ID)
	case e.Retry < 0:
		return fmt.Errorf("%w: Retry is negative: %v", ErrField, e.Retry)
	}
	return nil
}

// append appends the event in the format of HTML, section 9.2.5. A space after the colon is not
// part of the value.
func (e *Event) append(dst []byte) []byte {
	field := func(name, value string) {
		dst = append(append(append(append(dst, name...), ": "...), value...), '\n')
	}
	if e.Name != "" {
		field("event", e.Name)
	}
	if e.ID != "" {
		field("id", e.ID)
	}
	if e.Retry > 0 {
		field("retry", strconv.FormatInt(max(e.Retry.Milliseconds(), 1), 10))
	}
	if e.Data != "" || e.Name != "" {
		for line := range strings.SplitSeq(lines.Replace(e.Data), "\n") {
			field("data", line)
		}
	}
	return append(dst, '\n')
}
