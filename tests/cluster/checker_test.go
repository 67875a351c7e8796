package cluster

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTheCheckerKnowsRightFromWrong: the history finds each kind of wrong answer, and nothing in
// those that are allowed.
func TestTheCheckerKnowsRightFromWrong(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	read := func(began time.Time, user string, done ...int) outcome {
		return outcome{answer: answer{User: user, Done: done}, path: "/me", began: began, done: began, status: http.StatusOK}
	}
	logIn := func(changes ...int) *life {
		l := &life{user: "ada", began: ago(time.Minute), acked: map[int]time.Time{}}
		for _, n := range changes {
			l.change(n, ago(10*time.Second))
		}
		return l
	}
	ended := func(at time.Time) *life { l := logIn(); l.hasEnded(at); return l }
	failover := &window{what: "a failover", start: ago(12 * time.Second), end: ago(8 * time.Second), lossy: true}
	frozen := &window{what: "a freeze", start: ago(time.Minute), end: ago(time.Second)}
	for name, c := range map[string]struct {
		do   func(h *history)
		says string
	}{
		"a read of everything":         {func(h *history) { h.accepted(logIn(1, 2), read(now, "ada", 1, 2), true) }, ""},
		"a change that is missing":     {func(h *history) { h.accepted(logIn(1, 2), read(now, "ada", 2), true) }, "change 1 was lost"},
		"a change that is not due yet": {func(h *history) { h.accepted(logIn(1), read(ago(8*time.Second), "ada"), true) }, ""},
		"a change lost by a failover":  {func(h *history) { h.windows = []*window{failover}; h.accepted(logIn(1), read(now, "ada"), true) }, ""},
		"a change lost by a freeze":    {func(h *history) { h.windows = []*window{frozen}; h.accepted(logIn(1), read(now, "ada"), true) }, "change 1 was lost"},
		"another's session":            {func(h *history) { h.accepted(logIn(), read(now, "bob"), true) }, `got the session of "bob"`},
		"an old cookie, soon":          {func(h *history) { h.accepted(ended(ago(2*time.Second)), read(now, "ada"), true) }, ""},
		"an old cookie, too late":      {func(h *history) { h.accepted(ended(ago(4*time.Second)), read(now, "ada"), true) }, "was accepted 4s after"},
		"a login that is not known":    {func(h *history) { h.refused(logIn(), read(now, "")) }, "a login was lost"},
		"a logout that is known":       {func(h *history) { h.refused(ended(ago(time.Second)), read(now, "")) }, ""},
		"a stream that ended":          {func(h *history) { h.stream(ended(ago(30*time.Second)), ago(29*time.Second), true) }, ""},
		"a stream that ended too late": {func(h *history) { h.stream(ended(ago(30*time.Second)), ago(time.Second), true) }, "a stream was open 29s"},
		"the same without the store": {func(h *history) {
			h.windows = []*window{frozen}
			h.stream(ended(ago(30*time.Second)), ago(time.Second/2), true)
		}, ""},
		"a stream of a live session":    {func(h *history) { h.stream(logIn(), now, true) }, "and it has not"},
		"a stream that broke by itself": {func(h *history) { h.stream(logIn(), now, false) }, ""},
	} {
		h := newHistory(func(string) {})
		c.do(h)
		h.checkStreams()
		if got := strings.Join(h.wrong, "; "); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: found %q, want %q", name, got, c.says)
		}
	}
	h := newHistory(func(string) {})
	h.stream(ended(ago(time.Minute)), time.Time{}, false)
	if s, due := h.pending(); s == nil || !due.Before(now) {
		t.Errorf("an open stream of a session that has ended is not due: %v, %v", s, due)
	}
}

// stream adds a stream that has closed at the time.
func (h *history) stream(l *life, closed time.Time, told bool) {
	h.streams = append(h.streams, &opened{life: l, kind: "stream", closed: closed, told: told})
}
