package eventstream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
)

// dispatched is an event as the page gets it (HTML, section 9.2.6).
type dispatched struct{ name, data, lastID string }

// parse reads a stream as a browser does.
func parse(text string) (events []dispatched, retry string) {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var name, data, id string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != "" {
				if name == "" {
					name = "message"
				}
				events = append(events, dispatched{name, strings.TrimSuffix(data, "\n"), id})
			}
			name, data = "", ""
		case field == "event":
			name = value
		case field == "data":
			data += value + "\n"
		case field == "id":
			id = value
		case field == "retry":
			retry = value
		}
	}
	return events, retry
}

// Whatever text is in an event, the page gets exactly that event.
func TestEventsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event eventstream.Event
		want  dispatched
		sent  bool
	}{
		"text":                   {eventstream.Event{Data: "hello"}, dispatched{"message", "hello", "0"}, true},
		"all of it":              {eventstream.Event{Name: "news", ID: "1", Data: "hello", Retry: time.Second}, dispatched{"news", "hello", "1"}, true},
		"no data":                {eventstream.Event{Name: "ping"}, dispatched{"ping", "", "0"}, true},
		"lines":                  {eventstream.Event{Data: "a\nb\r\nc\rd\n\ne\n"}, dispatched{"message", "a\nb\nc\nd\n\ne\n", "0"}, true},
		"an event within":        {eventstream.Event{Data: "x\n\nevent: session-end\ndata: y\n\n"}, dispatched{"message", "x\n\nevent: session-end\ndata: y\n\n", "0"}, true},
		"an event within, by CR": {eventstream.Event{Data: "x\r\revent: evil\rdata: y\r\r"}, dispatched{"message", "x\n\nevent: evil\ndata: y\n\n", "0"}, true},
		"a comment":              {eventstream.Event{Data: ": x"}, dispatched{"message", ": x", "0"}, true},
		"spaces":                 {eventstream.Event{Name: " a ", ID: " 7 ", Data: "  x "}, dispatched{" a ", "  x ", " 7 "}, true},
		"other separators":       {eventstream.Event{Data: "a\u2028b\u0085c\vd"}, dispatched{"message", "a\u2028b\u0085c\vd", "0"}, true},
		"line in name":           {eventstream.Event{Name: "a\ndata: evil"}, dispatched{}, false},
		"line in name, by CR":    {eventstream.Event{Name: "a\rdata: evil"}, dispatched{}, false},
		"line in id":             {eventstream.Event{ID: "1\ndata: evil", Data: "x"}, dispatched{}, false},
		"line in id, by CR":      {eventstream.Event{ID: "1\r\rdata: evil", Data: "x"}, dispatched{}, false},
		"NUL in id":              {eventstream.Event{ID: "1\x00", Data: "x"}, dispatched{}, false},
		"the name of the last":   {eventstream.Event{Name: eventstream.EndEvent}, dispatched{}, false},
		"less than no time":      {eventstream.Event{Data: "x", Retry: -1}, dispatched{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
			n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
				wantErr(t, "a mark", events.Send(eventstream.Event{ID: "0"}), nil)
				var want error
				if !c.sent {
					want = eventstream.ErrField
				}
				wantErr(t, "Send", events.Send(c.event), want)
				return events.Send(eventstream.Event{Name: "end of test"})
			}
			ada := newClient(nil)
			ada.post(t, n, "/login")
			s := ada.open(t, n)
			var text strings.Builder
			if _, err := s.lines.WriteTo(&text); err != nil {
				t.Fatal(err)
			}
			wantErr(t, "Serve", <-n.served, nil)
			got, retry := parse(text.String())
			if end := len(got) - 1; end < 0 || got[end].name != "end of test" || end != 0 != c.sent || end > 1 {
				t.Fatalf("the page got %q of %q", got, text.String())
			}
			if c.sent && got[0] != c.want {
				t.Errorf("the page got %q, want %q", got[0], c.want)
			}
			if c.event.Retry > 0 && retry != "1000" {
				t.Errorf("retry: %q", retry)
			}
		})
	}
}

// The header keeps caches and proxies from holding events back, and LastID is the ID that the
// browser sends when it connects again.
func TestHeader(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t), session.Config{}).listen(t, nil)
	n.options.Retry = 3 * time.Second
	n.handle = func(_ context.Context, events *eventstream.Stream, _ *sess) error {
		return events.Send(eventstream.Event{Data: "after " + events.LastID()})
	}
	ada := newClient(nil)
	ada.post(t, n, "/login")
	s := ada.open(t, n, "Last-Event-ID", "42")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
	} {
		if got := s.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s.want(t, "retry: 3000\n")
	s.want(t, "data: after 42\n")
	s.wantOver(t)
	wantErr(t, "Serve", <-n.served, nil)
	n.handle = func(context.Context, *eventstream.Stream, *sess) error {
		t.Error("a stream was opened for HEAD")
		return nil
	}
	res, err := ada.Head(n.url + "/events")
	if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %v, %v", res, err)
	}
	wantErr(t, "Serve of HEAD", <-n.served, nil)
}
