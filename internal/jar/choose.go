package jar

import (
	"iter"
	"slices"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/verified"
)

// maxCopies limits how many cookies of one name are checked in a request.
const maxCopies = 8

// Search finds the session that a request's cookies name, where that is not simply the only
// cookie of the name.
type Search struct {
	Lines     []string // the request's Cookie header
	Name      string   // of the cookie that is sent now
	Former    []Cookie // the cookies that were sent before
	TakeFirst bool     // of several cookies of a name, take the first

	Verify  func(value string) (*verified.Cookie, error)
	Refused func(err error)          // called with the error of Verify for a name's only cookie
	Several func(name string, n int) // called for each name that has several cookies
	Load    func(*verified.Cookie) Answer
}

// Answer is what a cookie's id leads to.
type Answer struct {
	Record     any    // what the caller wants to have back
	Key        string // of the record
	Err        error  // why there is no session
	Dead       bool   // the store has answered and there is no usable session
	Superseded bool   // a login, a renewal or an end has replaced the session
}

// Result is the outcome of a search.
type Result struct {
	Cookie   *verified.Cookie // nil: no cookie was accepted
	Answer   Answer           // what it leads to
	Resend   bool             // the client gets the session's cookie again
	Name     string           // of the cookies to clear
	Clearing Clearing
}

// Find looks for the cookie of the name. If there is none, or none with a valid signature (another
// host may have planted it), it looks under the former names.
func (s *Search) Find() (r Result) {
	if value, n := cookie.Lookup(s.Lines, s.Name); n > 0 {
		if s.named(&r, s.Name, value, n); r.Cookie != nil || r.Clearing == ClearAll {
			return r
		}
	}
	var seen []string
	for _, f := range s.Former {
		if f.Name == s.Name || slices.Contains(seen, f.Name) {
			continue
		}
		seen = append(seen, f.Name)
		value, n := cookie.Lookup(s.Lines, f.Name)
		if n == 0 {
			continue
		}
		next := r
		if s.named(&next, f.Name, value, n); next.Cookie == nil {
			r.Name, r.Clearing, r.Resend = next.Name, next.Clearing, next.Resend
			continue
		}
		if r = next; r.Answer.Err == nil || !r.Answer.Dead {
			r.Resend = r.Answer.Err == nil
			return r
		}
	} // if the session of one name has ended, the next name counts
	return r
}

// named looks at the cookies of one name, of which value is the first.
func (s *Search) named(r *Result, name, value string, n int) {
	r.Cookie, r.Answer = nil, Answer{}
	if n > 1 && !s.TakeFirst {
		s.Several(name, n)
		r.Name, r.Clearing = name, ClearOthers
		s.among(r, cookie.All(s.Lines, name))
		return
	}
	v, err := s.Verify(value)
	if err != nil {
		s.Refused(err)
		return
	}
	r.Cookie, r.Answer = v, s.Load(v)
}

// among checks several cookies of one name. It takes the one that has a valid signature and
// names a live session, if there is exactly one such cookie.
func (s *Search) among(r *Result, values iter.Seq[string]) {
	type found struct {
		*verified.Cookie
		Answer
	}
	var alive []found
	var dead found
	var seen []string
	for value := range values {
		v, err := s.Verify(value)
		if err != nil || slices.Contains(seen, v.Key) {
			continue
		}
		if seen = append(seen, v.Key); len(seen) > maxCopies {
			break
		}
		a := s.Load(v)
		switch i := slices.IndexFunc(alive, func(f found) bool { return f.Answer.Key == a.Key }); {
		case a.Err == nil && i < 0:
			alive = append(alive, found{v, a})
		case a.Err == nil && a.Key == v.Key:
			alive[i] = found{v, a} // prefer the session's own id to the one before Renew
		case a.Err == nil:
		case !a.Dead:
			r.Cookie, r.Answer = v, a // the store does not answer
			return
		case dead.Cookie == nil, a.Superseded:
			dead = found{v, a}
		}
	}
	switch len(alive) {
	case 0:
		r.Cookie, r.Answer = dead.Cookie, dead.Answer
	case 1:
		r.Resend = true
		r.Cookie, r.Answer = alive[0].Cookie, alive[0].Answer
	default:
		r.Clearing = ClearAll // nothing shows which of them is the user's
	}
}
