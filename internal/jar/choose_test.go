package jar_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/verified"
)

var (
	errEnded = errors.New("ended")
	errDown  = errors.New("the store is down")
)

// search looks for a cookie among lines. A value "ok-a" is signed and has the id a; others
// are not. live maps an id to the key of its record, or to an error's text.
func search(s jar.Search, live map[string]string) (r jar.Result, report string) {
	var events []string
	s.Verify = func(value string) (*verified.Cookie, error) {
		id, signed := strings.CutPrefix(value, "ok-")
		if !signed {
			return nil, errors.New("not signed")
		}
		return &verified.Cookie{Value: value, ID: id, Key: "key-" + id}, nil
	}
	s.Refused = func(error) { events = append(events, "refused") }
	s.Several = func(name string, n int) { events = append(events, fmt.Sprintf("%d of %s", n, name)) }
	s.Load = func(v *verified.Cookie) jar.Answer {
		events = append(events, "load "+v.ID)
		switch at, known := live[v.ID]; {
		case at == "down":
			return jar.Answer{Err: errDown}
		case at == "replaced":
			return jar.Answer{Err: errEnded, Dead: true, Superseded: true}
		case !known:
			return jar.Answer{Err: errEnded, Dead: true}
		default:
			return jar.Answer{Record: "record of " + v.ID, Key: at}
		}
	}
	return s.Find(), strings.Join(events, ", ")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	own := func(ids ...string) (m map[string]string) {
		m = map[string]string{}
		for _, id := range ids {
			m[id] = "key-" + id
		}
		return m
	}
	for _, c := range []struct {
		about, line string
		first       bool
		live        map[string]string

		id, report string
		err        error
		resend     bool
		clearing   jar.Clearing
	}{
		{about: "nothing", line: "other=1"},
		{about: "the only cookie", line: "sid=ok-a", live: own("a"), id: "a", report: "load a"},
		{about: "the only cookie, of a session that has ended", line: "sid=ok-a", id: "a", report: "load a", err: errEnded},
		{about: "an unsigned one", line: "sid=a", report: "refused"},
		{about: "the live one of two", line: "sid=ok-a; sid=ok-b", live: own("b"), id: "b", report: "2 of sid, load a, load b", resend: true, clearing: jar.ClearOthers},
		{about: "two live ones", line: "sid=ok-a; sid=ok-b", live: own("a", "b"), report: "2 of sid, load a, load b", clearing: jar.ClearAll},
		{about: "the first of two, as in express-session", line: "sid=ok-a; sid=ok-b", first: true, live: own("b"), id: "a", report: "load a", err: errEnded},
		{about: "the same one twice", line: "sid=ok-a; sid=ok-a", live: own("a"), id: "a", report: "2 of sid, load a", resend: true, clearing: jar.ClearOthers},
		{about: "a planted, unsigned one", line: "sid=x; sid=ok-a", live: own("a"), id: "a", report: "2 of sid, load a", resend: true, clearing: jar.ClearOthers},
		{about: "two unsigned ones", line: "sid=x; sid=y", report: "2 of sid", clearing: jar.ClearOthers},
		{about: "two that have ended", line: "sid=ok-a; sid=ok-b", id: "a", report: "2 of sid, load a, load b", err: errEnded, clearing: jar.ClearOthers},
		{about: "two that have ended, one replaced", line: "sid=ok-a; sid=ok-b", live: map[string]string{"b": "replaced"}, id: "b", report: "2 of sid, load a, load b", err: errEnded, clearing: jar.ClearOthers},
		{about: "the ids before and after a renewal", line: "sid=ok-old; sid=ok-new", live: map[string]string{"old": "key-new", "new": "key-new"}, id: "new", report: "2 of sid, load old, load new", resend: true, clearing: jar.ClearOthers},
		{about: "the ids after and before a renewal", line: "sid=ok-new; sid=ok-old", live: map[string]string{"old": "key-new", "new": "key-new"}, id: "new", report: "2 of sid, load new, load old", resend: true, clearing: jar.ClearOthers},
		{about: "the store is down", line: "sid=ok-a; sid=ok-b", live: map[string]string{"a": "down", "b": "key-b"}, id: "a", report: "2 of sid, load a", err: errDown, clearing: jar.ClearOthers},
		{about: "a former name", line: "was=ok-a", live: own("a"), id: "a", report: "load a", resend: true},
		{about: "a former name beside the name of now", line: "was=ok-a; sid=ok-b", live: own("a"), id: "b", report: "load b", err: errEnded},
		{about: "a former name beside an unsigned one of now", line: "was=ok-a; sid=x", live: own("a"), id: "a", report: "refused, load a", resend: true},
		{about: "a former name beside two unsigned ones of now", line: "sid=x; was=ok-a; sid=y", live: own("a"), id: "a", report: "2 of sid, load a", resend: true, clearing: jar.ClearOthers},
		{about: "a former name beside two live ones of now", line: "sid=ok-a; was=ok-c; sid=ok-b", live: own("a", "b", "c"), report: "2 of sid, load a, load b", clearing: jar.ClearAll},
		{about: "unsigned ones of both", line: "sid=x; was=y", report: "refused, refused"},
		{about: "a former name whose session has ended, and another", line: "was=ok-a; older=ok-b", live: own("b"), id: "b", report: "load a, load b", resend: true},
		{about: "former names whose sessions have ended", line: "was=ok-a; older=ok-b", id: "b", report: "load a, load b", err: errEnded},
		{about: "an unsigned one of a former name, and another", line: "was=x; older=ok-b", live: own("b"), id: "b", report: "refused, load b", resend: true},
		{about: "two of a former name", line: "was=ok-a; was=ok-b", live: own("b"), id: "b", report: "2 of was, load a, load b", resend: true, clearing: jar.ClearOthers},
		{about: "the store is down for a former name", line: "was=ok-a; older=ok-b", live: map[string]string{"a": "down", "b": "key-b"}, id: "a", report: "load a", err: errDown},
	} {
		t.Run(c.about, func(t *testing.T) {
			t.Parallel()
			former := []jar.Cookie{{Name: "was"}, {Name: "was", Path: "/x"}, {Name: "sid", Path: "/y"}, {Name: "older"}}
			r, report := search(jar.Search{Lines: []string{c.line}, Name: "sid", Former: former, TakeFirst: c.first}, c.live)
			id := ""
			if r.Cookie != nil {
				id = r.Cookie.ID
			}
			if id != c.id || !errors.Is(r.Answer.Err, c.err) || (r.Answer.Err == nil) != (c.err == nil) || report != c.report {
				t.Errorf("found %q, %v after %q; want %q, %v after %q", id, r.Answer.Err, report, c.id, c.err, c.report)
			}
			if r.Resend != c.resend || r.Clearing != c.clearing || (r.Clearing != jar.ClearNone) != (r.Name != "") {
				t.Errorf("resend %v, clearing %v of %q; want %v, %v", r.Resend, r.Clearing, r.Name, c.resend, c.clearing)
			}
			if want := "record of " + c.id; c.id != "" && c.err == nil && r.Answer.Record != want {
				t.Errorf("the record is %v, want %s", r.Answer.Record, want)
			}
		})
	}
}

// A client cannot make a request load more than a few records.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	var pairs []string
	for i := range 1000 {
		pairs = append(pairs, fmt.Sprintf("sid=ok-%d", i))
	}
	_, report := search(jar.Search{Lines: []string{strings.Join(pairs, "; ")}, Name: "sid"}, nil)
	if n := strings.Count(report, "load"); n != 8 {
		t.Errorf("%d loads", n)
	}
}
