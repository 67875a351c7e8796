// Package events keeps the events of sessions in a log of JSON lines, and finds in it what happened
// to a session.
package events

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/nestsession/session"
)

// Line is an event in the log. It holds no id, cookie or secret.
type Line struct {
	Time    time.Time         `json:"time"`
	Node    string            `json:"node"`
	Kind    session.EventKind `json:"kind"`
	Reason  session.Reason    `json:"reason,omitempty"`
	Session string            `json:"session,omitempty"` // the digest
	Former  string            `json:"former,omitempty"`  // the digest before, if this event changed it
	Owner   string            `json:"owner,omitempty"`
	From    string            `json:"from,omitempty"`    // the client's address
	Request string            `json:"request,omitempty"` // the route of the login server, such as POST /logout
	Error   string            `json:"error,omitempty"`
	Lost    int64             `json:"lost,omitempty"` // with KindLost: how many
}

// KindLost is the kind of a [Line] that says that the node could not write events before it.
const KindLost session.EventKind = "events lost"

// Origin is the request in which an event happens.
type Origin struct {
	From    netip.Addr // the client
	Request string     // see [Line]
}

type originKey struct{}

// WithOrigin returns a context for a request. [Log.OnEvent] takes the origin from it.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// lineOf returns the line of an event, with its end.
func lineOf(ctx context.Context, node string, e session.Event) []byte {
	l := Line{Time: e.Time.UTC(), Node: node, Kind: e.Kind, Reason: e.Reason, Session: e.Digest, Former: e.Former, Owner: e.Owner}
	if o, ok := ctx.Value(originKey{}).(Origin); ok {
		l.Request = o.Request
		if o.From.IsValid() {
			l.From = o.From.String()
		}
	}
	if e.Err != nil {
		l.Error = e.Err.Error()
	}
	return encoded(l)
}

func encoded(l Line) []byte {
	text, err := json.Marshal(l)
	if err != nil { // only a year beyond 9999 has no JSON
		l.Time = time.Time{}
		text, _ = json.Marshal(l)
	}
	return append(text, '\n')
}

// parse reads a line, also one before which a log collector has written a name or a time. It reports
// false if the line is not an event.
func parse(text []byte) (l Line, ok bool) {
	start := bytes.IndexByte(text, '{')
	if start < 0 {
		return l, false
	}
	if json.Unmarshal(text[start:], &l) != nil || l.Kind == "" || l.Time.IsZero() {
		return l, false
	}
	l.Time = l.Time.UTC()
	return l, true
}
