package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// bound is how old an answer may be.
	bound = maxStale + time.Second
	// streamBound is how much later than its session a stream may end, on a busy machine.
	streamBound = recheck + 10*time.Second
)

// life is one login of a browser, as its user knows it.
type life struct {
	user   string
	number int
	cookie string
	began  time.Time // the user had the answer to the login

	mu     sync.Mutex
	ending bool              // a request that may end it was sent
	ended  time.Time         // the user was told that it has ended; zero: was not
	acked  map[int]time.Time // when the user had the answer to each change
	lost   bool              // something is lost that the store may lose
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = true
}

func (l *life) hasEnded(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending = true; l.ended.IsZero() {
		l.ended = at
	}
}

func (l *life) change(n int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[n] = at
}

func (l *life) isLive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.ending
}

// window is a time in which something was disturbed on purpose.
type window struct {
	what       string
	start, end time.Time
	lossy      bool // what was acknowledged then may be lost
}

// opened is a stream or a WebSocket.
type opened struct {
	life   *life
	kind   string    // "stream" or "socket"
	closed time.Time // zero: it is open
	told   bool      // its last event said that the session has ended
}

// history is what all users were told, and what is wrong with it.
type history struct {
	began time.Time
	broke func(what string) // is called for the first thing that is wrong

	mu       sync.Mutex
	wrong    []string
	requests int
	errors   map[string]int
	last     time.Time // the last success
	away     time.Duration
	longest  time.Duration
	stale    []time.Duration
	fresh    int
	losses   int
	logins   int
	changes  int
	streams  []*opened
	windows  []*window
}

func newHistory(broke func(what string)) *history {
	now := time.Now()
	return &history{began: now, last: now, broke: broke, errors: map[string]int{}}
}

// broken reports that something is wrong.
func (h *history) broken(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what := fmt.Sprintf(format, args...)
	h.wrong = append(h.wrong, fmt.Sprintf("%v: %s%s", time.Since(h.began).Round(time.Millisecond), what, h.meanwhile()))
	h.broke(what)
}

// meanwhile names what is disturbed now, or was last.
func (h *history) meanwhile() string {
	if len(h.windows) == 0 {
		return ""
	}
	return " (last disturbed: " + h.windows[len(h.windows)-1].what + ")"
}

// disturbed records what f disturbs.
func (h *history) disturbed(what string, lossy bool, f func() error) error {
	w := &window{what: what, start: time.Now(), lossy: lossy}
	h.mu.Lock()
	h.windows = append(h.windows, w)
	h.mu.Unlock()
	err := f()
	h.mu.Lock()
	w.end = time.Now()
	h.mu.Unlock()
	return err
}

// mayLose reports whether the store may lose what was acknowledged at the time.
func (h *history) mayLose(at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.windows, func(w *window) bool {
		return w.lossy && at.After(w.start.Add(-10*time.Second)) && (w.end.IsZero() || at.Before(w.end.Add(10*time.Second)))
	})
}

// excused counts a loss that the store may have, once in a life.
func (h *history) excused(l *life, at time.Time) bool {
	if !h.mayLose(at) {
		return false
	}
	l.mu.Lock()
	first := !l.lost
	l.lost = true
	l.mu.Unlock()
	if first {
		h.mu.Lock()
		h.losses++
		h.mu.Unlock()
	}
	return true
}

// answered counts a request.
func (h *history) answered(o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	if o.failure != "" {
		h.errors[o.failure]++
		return
	}
	h.served(o.done)
}

// served measures how long nobody got an answer.
func (h *history) served(at time.Time) {
	gap := at.Sub(h.last)
	if gap > time.Second {
		h.away += gap
	}
	h.longest = max(h.longest, gap)
	if gap > 0 {
		h.last = at
	}
}

func (h *history) count(n *int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*n++
}

// aged counts how old an answer was; 0: not at all.
func (h *history) aged(age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if age <= 0 {
		h.fresh++
	} else {
		h.stale = append(h.stale, age)
	}
}

// accepted checks an answer that shows a session to a user who came with the life's cookie.
func (h *history) accepted(l *life, o outcome, reads bool) {
	if o.User != l.user {
		h.broken("%s got the session of %q from node %s", l.user, o.User, o.path)
		return
	}
	l.mu.Lock()
	ended, oldest, missing := l.ended, time.Time{}, 0
	for n, at := range l.acked {
		if reads && at.Before(o.began) && !slices.Contains(o.Done, n) && (oldest.IsZero() || at.Before(oldest)) {
			oldest, missing = at, n
		}
	}
	l.mu.Unlock()
	if !ended.IsZero() && ended.Before(o.began) {
		age := o.began.Sub(ended)
		if h.aged(age); age > bound && !h.excused(l, ended) {
			h.broken("%s: a cookie was accepted %v after its logout, by %s", l.user, age, o.path)
		}
		return
	}
	if !reads {
		return
	}
	age := time.Duration(0)
	if !oldest.IsZero() {
		age = o.began.Sub(oldest)
	}
	if h.aged(age); age > bound && !h.excused(l, oldest) {
		h.broken("%s: change %d was lost: it was acknowledged %v before a read by %s", l.user, missing, age, o.path)
	}
}

// refused checks an answer without a session to a user who came with the life's cookie.
func (h *history) refused(l *life, o outcome) {
	if l.isLive() && !h.excused(l, l.began) {
		h.broken("%s: a login was lost, %v after it: %s", l.user, o.done.Sub(l.began), o.path)
	}
	l.end()
}

// due returns until when a stream may last whose session ended at the time.
func (h *history) due(ended time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := ended.Add(streamBound)
	for _, w := range h.windows { // in the order of their times
		end := w.end
		if end.IsZero() {
			end = time.Now()
		}
		if w.start.Before(due) && end.After(ended) && end.Add(streamBound).After(due) {
			due = end.Add(streamBound)
		}
	}
	return due
}

// pending returns a stream that is open and whose session has ended, and when it is due; nil if there is none.
func (h *history) pending() (open *opened, due time.Time) {
	h.mu.Lock()
	all := slices.Clone(h.streams)
	h.mu.Unlock()
	for _, s := range all {
		h.mu.Lock()
		closed := s.closed
		h.mu.Unlock()
		s.life.mu.Lock()
		ended := s.life.ended
		s.life.mu.Unlock()
		if closed.IsZero() && !ended.IsZero() && !h.mayLose(ended) {
			if d := h.due(ended); open == nil || d.Before(due) {
				open, due = s, d
			}
		}
	}
	return open, due
}

// undisturbed reports whether nothing was disturbed between the times.
func (h *history) undisturbed(from, to time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !slices.ContainsFunc(h.windows, func(w *window) bool { return w.start.Before(to) && w.end.After(from) })
}

// ends says how long streams took to end after the ends of their sessions.
type ends struct {
	of   map[string][]time.Duration // by kind
	calm []time.Duration            // those of any kind that ended while nothing was disturbed
}

// checkStreams checks the streams that have closed.
func (h *history) checkStreams() ends {
	took := ends{of: map[string][]time.Duration{}}
	h.mu.Lock()
	all := slices.Clone(h.streams)
	h.mu.Unlock()
	for _, s := range all {
		s.life.mu.Lock()
		ended, ending := s.life.ended, s.life.ending
		s.life.mu.Unlock()
		switch {
		case s.told && !ending && !h.mayLose(s.life.began):
			h.broken("%s: a %s was told that its session has ended, and it has not", s.life.user, s.kind)
		case ended.IsZero() || s.closed.IsZero() || h.mayLose(ended):
		case s.closed.After(h.due(ended)):
			h.broken("%s: a %s was open %v after the end of its session", s.life.user, s.kind, s.closed.Sub(ended))
		case s.told:
			d := max(0, s.closed.Sub(ended))
			if took.of[s.kind] = append(took.of[s.kind], d); h.undisturbed(ended.Add(-time.Second), s.closed) {
				took.calm = append(took.calm, d)
			}
		}
	}
	return took
}

// quantiles formats the median, the 99th percentile and the largest.
func quantiles(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(q float64) time.Duration {
		return all[min(len(all)-1, int(q*float64(len(all))))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%v / %v / %v", at(0.5), at(0.99), at(1))
}

// table is what a run has measured.
func (h *history) table(took ends) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var kinds []string
	for kind := range h.errors {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(h.errors[b]-h.errors[a], strings.Compare(a, b)) })
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%s: %d", kind, h.errors[kind])
	}
	var b strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&b, "| %s | %v |\n", name, value) }
	row("measured", "value")
	row("---", "---")
	row("requests", h.requests)
	sockets := 0
	for _, s := range h.streams {
		if s.kind == "socket" {
			sockets++
		}
	}
	row("logins, acknowledged changes, event streams, WebSockets", fmt.Sprintf("%d, %d, %d, %d", h.logins, h.changes, len(h.streams)-sockets, sockets))
	row("errors by kind", cmp.Or(strings.Join(kinds, ", "), "none"))
	row("time without service: gaps over 1 s in all, longest gap", fmt.Sprintf("%v, %v", h.away.Round(time.Millisecond), h.longest.Round(time.Millisecond)))
	row("outdated answers", fmt.Sprintf("%d of %d", len(h.stale), len(h.stale)+h.fresh))
	row("staleness of these, p50 / p99 / max", quantiles(h.stale))
	row("staleness of all answers, p50 / p99 / max", quantiles(append(make([]time.Duration, h.fresh), h.stale...)))
	row("time to end an event stream, p50 / p99 / max", quantiles(took.of["stream"]))
	row("time to end a WebSocket, p50 / p99 / max", quantiles(took.of["socket"]))
	row("to end either, while nothing was disturbed", quantiles(took.calm))
	row("sessions with a loss that the store's failover may have", h.losses)
	for _, w := range h.windows {
		row("disturbed", fmt.Sprintf("%s, from %v to %v", w.what, w.start.Sub(h.began).Round(time.Millisecond), w.end.Sub(h.began).Round(time.Millisecond)))
	}
	return b.String()
}
