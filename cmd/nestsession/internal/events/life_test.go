package events

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// recordOf returns a record of lines, which happen a second apart.
func recordOf(t *testing.T, lines ...Line) *Record {
	t.Helper()
	var text strings.Builder
	for i, l := range lines {
		l.Time = begin.Add(time.Duration(i) * time.Second)
		text.Write(encoded(l))
	}
	var r Record
	if err := r.Read(strings.NewReader(text.String())); err != nil {
		t.Fatal(err)
	}
	return &r
}

func kinds(l Life) string {
	var all []string
	for _, line := range l.Lines {
		all = append(all, string(line.Kind))
	}
	return strings.Join(all, ", ")
}

func TestALifeFollowsTheDigests(t *testing.T) {
	t.Parallel()
	r := recordOf(t,
		Line{Kind: session.EventCreated, Session: "aaaa1"},
		Line{Kind: session.EventCreated, Session: "bbbb1"},
		Line{Kind: session.EventLoggedIn, Session: "aaaa2", Former: "aaaa1", Owner: "user:1"},
		Line{Kind: session.EventConflict, Session: "aaaa2", Owner: "user:1"},
		Line{Kind: session.EventRenewed, Session: "aaaa3", Former: "aaaa2", Owner: "user:1"},
		Line{Kind: session.EventLoggedIn, Session: "bbbb2", Former: "bbbb1", Owner: "user:1"},
		Line{Kind: session.EventRejected, Reason: session.ReasonSuperseded, Session: "aaaa1"},
		Line{Kind: session.EventDropped, Owner: "user:1"},
		Line{Kind: session.EventRevoked, Session: "aaaa3", Owner: "user:1"},
	)
	const life = "created, logged in, conflict, renewed, rejected, revoked"
	for _, name := range []string{"aaaa1", "aaaa2", "aaaa3", "aaaa"} {
		l, err := r.Find(name)
		if err != nil || kinds(l) != life || l.Session != "aaaa3" {
			t.Errorf("%s: %s is %s, %v", name, l.Session, kinds(l), err)
		}
	}
	lives, err := r.FindOwner("user:1")
	if err != nil || len(lives) != 3 || kinds(lives[0]) != life || lives[1].Session != "bbbb2" || kinds(lives[2]) != "dropped" {
		t.Errorf("the owner has %v, %v", lives, err)
	}
	if _, err := r.Find("cccc"); !errors.Is(err, ErrNone) {
		t.Errorf("an unknown digest: %v", err)
	}
	if _, err := r.FindOwner("user:2"); !errors.Is(err, ErrNone) {
		t.Errorf("an unknown owner: %v", err)
	}
	if _, err := r.Find("aaa"); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a short name: %v", err)
	}
}

func TestABeginningOfSeveralSessionsIsRefused(t *testing.T) {
	t.Parallel()
	r := recordOf(t, Line{Kind: session.EventCreated, Session: "aaaa"}, Line{Kind: session.EventCreated, Session: "aaaab"}, Line{Kind: session.EventCreated, Session: "aaaac"})
	if l, err := r.Find("aaaa"); err != nil || len(l.Lines) != 1 {
		t.Errorf("a whole digest that begins another: %v, %v", l, err)
	}
	r = recordOf(t, Line{Kind: session.EventCreated, Session: "aaaab"}, Line{Kind: session.EventCreated, Session: "aaaac"})
	if _, err := r.Find("aaaa"); err == nil || !strings.Contains(err.Error(), "several sessions begin with") {
		t.Errorf("the beginning of two: %v", err)
	}
}

func TestSeveralLogsAreSortedAndReadOnce(t *testing.T) {
	t.Parallel()
	log := func(node string, seconds ...int) string {
		var text strings.Builder
		for _, s := range seconds {
			text.Write(encoded(Line{Time: begin.Add(time.Duration(s) * time.Second), Node: node, Kind: session.EventConflict, Session: "aaaa"}))
		}
		return text.String()
	}
	var r Record
	for _, text := range []string{log("b", 2, 4), log("a", 1, 3), log("b", 2, 4)} {
		if err := r.Read(strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := r.Find("aaaa")
	var got []string
	for _, line := range l.Lines {
		got = append(got, fmt.Sprint(line.Node, line.Time.Second()))
	}
	if strings.Join(got, " ") != "a1 b2 a3 b4" || err != nil {
		t.Errorf("the life is %v, %v", got, err)
	}
}

// A session that is renewed many times is read in the time of its lines.
func TestALongLife(t *testing.T) {
	t.Parallel()
	const renewals = 100_000
	lines := []Line{{Kind: session.EventCreated, Session: "id-0"}}
	for i := range renewals {
		lines = append(lines, Line{Kind: session.EventRenewed, Session: fmt.Sprint("id-", i+1), Former: fmt.Sprint("id-", i)})
	}
	if l, err := recordOf(t, lines...).Find("id-0"); err != nil || len(l.Lines) != renewals+1 {
		t.Errorf("%d lines, %v", len(l.Lines), err)
	}
}
