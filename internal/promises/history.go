package promises

import (
	"fmt"
	"sync/atomic"
)

// moments orders what a history records. A moment before another has a smaller number.
type moments struct{ n atomic.Int64 }

func (m *moments) next() int64 { return m.n.Add(1) }

// attempt is a login in a history, as its client sees it.
type attempt struct {
	browser         *browser // its client
	began, answered int64
	accepted        bool  // answered with success
	refused         bool  // answered with ErrTooManySessions
	logout          int64 // when its client sent a logout; 0: never
	loggedOut       int64 // when that was answered
	lives           bool  // its cookie is of a live session, after the last answer
}

// violations returns what a history breaks of a limit of n sessions for its one owner. Nothing
// but the limit and the logouts have ended sessions.
func violations(n int, refuses bool, history []*attempt) (found []string) {
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	accepted, alive, left := 0, 0, 0
	for i, a := range history {
		if a.accepted {
			accepted++
			if a.logout == 0 {
				left++
			}
		}
		if a.lives {
			alive++
		}
		switch {
		case a.accepted && a.refused, !a.accepted && !a.refused:
			report("login %d was answered with neither success nor ErrTooManySessions", i)
		case a.lives && !a.accepted:
			report("login %d was refused, and its cookie is of a live session", i)
		case a.lives && a.logout != 0:
			report("login %d has logged out, and its cookie is of a live session", i)
		}
	}
	if alive > n {
		report("%d sessions are live, with a limit of %d", alive, n)
	}
	if refuses {
		return append(found, wrongRefusals(n, history)...)
	}
	if want := min(n, left); alive < want && left == accepted {
		report("%d sessions are live of %d that logged in, with a limit of %d", alive, accepted, n)
	}
	for i, a := range history {
		newer := 0
		for j, b := range history {
			if b.accepted && b.answered > a.began && b != a {
				newer++
			}
			if a.accepted && !a.lives && a.logout == 0 && b.lives && b.answered < a.began {
				report("the session of login %d has ended, and that of login %d, which was answered before, lives", i, j)
			}
		}
		if a.refused && newer < n {
			report("login %d was refused, although only %d of the others could be newer", i, newer)
		}
	}
	return found
}

// wrongRefusals returns what a history breaks of a limit that refuses logins.
func wrongRefusals(n int, history []*attempt) (found []string) {
	for i, a := range history {
		if a.accepted && !a.lives && a.logout == 0 {
			found = append(found, fmt.Sprintf("the session of login %d has ended, although nobody has ended it", i))
		}
		certain, possible := 0, 0 // sessions that are live when a is answered; that may be live while it is not
		for _, b := range history {
			if !b.accepted || b == a {
				continue
			}
			if b.answered < a.answered && (b.logout == 0 || b.logout > a.answered) {
				certain++
			}
			if b.began < a.answered && (b.loggedOut == 0 || b.loggedOut > a.began) {
				possible++
			}
		}
		if a.accepted && certain >= n {
			found = append(found, fmt.Sprintf("login %d was the %dth of sessions that are live at the same time", i, certain+1))
		}
		if a.refused && possible < n {
			found = append(found, fmt.Sprintf("login %d was refused, although at most %d sessions were live", i, possible))
		}
	}
	return found
}
