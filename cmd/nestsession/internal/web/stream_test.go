package web_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stream is a stream that a client receives.
type stream struct {
	*browser
	response *http.Response
	events   chan event // closed at the end
}

type event struct{ name, data string }

func (b *browser) listen(path string) *stream {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header = b.headers.Clone()
	r.Header.Set("Accept", "text/event-stream")
	response, err := (&http.Client{Jar: b.jar}).Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = response.Body.Close() })
	st := &stream{b, response, make(chan event, 1000)}
	go func() {
		defer close(st.events)
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "data":
				e.data = value
				st.events <- e
				e = event{}
			}
		}
	}()
	return st
}

// open opens a stream, and fails if there is none.
func (b *browser) open(path string) *stream {
	b.Helper()
	st := b.listen(path)
	if kind := st.response.Header.Get("Content-Type"); st.response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		b.Fatalf("GET %s: status %d, %s", path, st.response.StatusCode, kind)
	}
	return st
}

const maxWait = 2 * time.Minute

func (st *stream) next() (e event, ok bool) {
	st.Helper()
	select {
	case e, ok = <-st.events:
	case <-time.After(maxWait):
		st.Fatal("no event has come")
	}
	return e, ok
}

// wantList expects the next event to be a list of these devices.
func (st *stream) wantList(names string) {
	st.Helper()
	e, _ := st.next()
	var l list
	if err := json.Unmarshal([]byte(e.data), &l); err != nil || e.name != "sessions" || l.names() != names || !l.Sessions[0].Current {
		st.Errorf("event %+v, %v; want a list of %s", e, err, names)
	}
}

// wantEnd expects an event that the session has ended, and nothing after it.
func (st *stream) wantEnd() {
	st.Helper()
	if e, _ := st.next(); e.name != "session-end" || e.data != "logged out" {
		st.Errorf("event %+v; want the end of the session", e)
	}
	if e, ok := st.next(); ok {
		st.Errorf("event %+v after the end", e)
	}
}

// On one node no change waits for the next poll.
func TestAStreamReportsDevicesAndItsEnd(t *testing.T) {
	t.Parallel()
	s := setupLists(t, time.Hour)
	laptop, phone, lee := s.program().with(firefox), s.program().with(iPhone), s.program()
	laptop.register("kim", "correct horse battery")
	lee.register("lee", "correct horse battery")
	stranger := lee.open("/events")
	list := laptop.open("/sessions/events")
	list.wantList("Firefox on Linux")
	phone.login("kim", "correct horse battery")
	list.wantList("Firefox on Linux, Safari on iPhone")
	phone.login("kim", "correct horse battery") // is another session, with another digest
	list.wantList("Firefox on Linux, Safari on iPhone")
	quiet := phone.open("/events")
	phones := phone.open("/sessions/events")
	phones.wantList("Safari on iPhone, Firefox on Linux")
	laptop.send(http.MethodPost, "/sessions/logout-others", nil).want(t, http.StatusOK)
	quiet.wantEnd()
	phones.wantEnd()
	list.wantList("Firefox on Linux")
	laptop.send(http.MethodPost, "/logout", nil)
	list.wantEnd()
	lee.send(http.MethodPost, "/logout", nil)
	stranger.wantEnd() // before this, no event came
}

// A poll finds changes on other nodes. The list is sent only if it has changed.
func TestAStreamFindsWhatHappenedElsewhere(t *testing.T) {
	t.Parallel()
	s := setup(t)
	laptop, phone := s.program().with(firefox), s.program().with(iPhone)
	laptop.register("kim", "correct horse battery")
	phone.login("kim", "correct horse battery")
	list := laptop.open("/sessions/events")
	list.wantList("Firefox on Linux, Safari on iPhone")
	for n := s.sessions.lists.Load(); s.sessions.lists.Load() < n+5; { // it polls, and nothing has changed
		phone.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	}
	s.sessions.listsDown.Store(true)
	for n := s.sessions.lists.Load(); s.sessions.lists.Load() < n+2; {
		phone.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	}
	s.sessions.deleteSilently(t, phone.sid())
	s.sessions.listsDown.Store(false)
	list.wantList("Firefox on Linux")
	if n := strings.Count(s.log.String(), "could not be updated"); n != 1 {
		t.Errorf("that the list could not be read was logged %d times, want once", n)
	}
}

// A new password ends all streams that were opened under the old one, including those of the same
// browser: a thief of its cookie gets no more events. The browser connects again with the new
// cookie.
func TestANewPasswordEndsTheStreamsOfItsOwnSessionToo(t *testing.T) {
	t.Parallel()
	s := setupLists(t, time.Hour) // no change waits for the next poll
	laptop, phone, thief := s.program().with(firefox), s.program().with(iPhone), s.program()
	laptop.register("kim", "correct horse battery")
	phone.login("kim", "correct horse battery")
	thief.headers.Set("Cookie", "sid="+laptop.sid())
	phones, own, stolen := phone.open("/events"), laptop.open("/events"), thief.open("/sessions/events")
	stolen.wantList("Firefox on Linux, Safari on iPhone")
	laptop.send(http.MethodPost, "/password", `{"current_password":"correct horse battery","new_password":"battery staple pile"}`).want(t, http.StatusOK)
	phones.wantEnd()
	own.wantEnd()
	for {
		e, ok := stolen.next()
		if !ok {
			t.Fatal("the stream broke without its last event")
		}
		if e.name == "session-end" {
			break
		}
		if e.name != "sessions" || strings.Contains(e.data, laptop.list().Sessions[0].Session) {
			t.Fatalf("the stream of the old id reports the new one: %+v", e)
		}
	}
	laptop.open("/sessions/events").wantList("Firefox on Linux")
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b, lee := s.program(), s.program()
	b.register("kim", "correct horse battery")
	lee.register("lee", "correct horse battery")
	var all []*stream
	for range 50 {
		all = append(all, b.open("/events"))
	}
	refused := b.listen("/sessions/events")
	if refused.response.StatusCode != http.StatusTooManyRequests || refused.response.Header.Get("Retry-After") == "" {
		t.Errorf("one stream too many is answered %d", refused.response.StatusCode)
	}
	lee.open("/events") // is another user
	_ = all[0].response.Body.Close()
	for end := time.Now().Add(maxWait); ; { // the server notices that later
		if st := b.listen("/events"); st.response.StatusCode == http.StatusOK {
			break
		} else if time.Now().After(end) {
			t.Fatal("the place of a stream that was closed is not free again")
		}
	}
}

// Fifty windows of one user cost the store no more than one.
func TestAListIsReadOnceForAllWindows(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program().with(firefox)
	b.register("kim", "correct horse battery")
	first := b.open("/sessions/events")
	first.wantList("Firefox on Linux")
	var others []*stream
	for range 40 {
		others = append(others, b.open("/sessions/events"))
	}
	for _, st := range others {
		st.wantList("Firefox on Linux")
	}
	begun, n := time.Now(), s.sessions.lists.Load()
	for s.sessions.lists.Load() < n+10 {
		b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
	}
	if took := time.Since(begun); took < 80*time.Millisecond { // ten at intervals of 10 ms or more, less a tolerance
		t.Errorf("the list was read 10 times within %v", took)
	}
}

// A server that stops ends the streams, and does not say that the user is logged out.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	s := setup(t)
	b := s.program().with(firefox)
	b.register("kim", "correct horse battery")
	quiet, list := b.open("/events"), b.open("/sessions/events")
	list.wantList("Firefox on Linux")
	s.app.EndStreams()
	for _, st := range []*stream{quiet, list} {
		if e, ok := st.next(); ok {
			t.Errorf("event %+v, want the end", e)
		}
	}
	if status := b.listen("/events").response.StatusCode; status != http.StatusServiceUnavailable {
		t.Errorf("a new stream is answered %d, want 503", status)
	}
	b.send(http.MethodGet, "/me", nil).want(t, http.StatusOK)
}
