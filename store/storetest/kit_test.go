package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
)

// A store that fulfils the contract passes, both with waiting and with a clock that the kit moves.
func TestCorrectStorePasses(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) Opened {
		tab := newTable()
		t.Cleanup(func() { close(tab.quit) })
		return Opened{Store: simple{tab}, Peers: []store.Store{simple{tab}, simple{tab}}}
	}
	t.Run("Waiting", func(t *testing.T) {
		t.Parallel()
		Run(t, open, Options{Parallel: true, Synctest: true})
	})
	t.Run("SetClock", func(t *testing.T) {
		t.Parallel()
		Run(t, func(t *testing.T) Opened {
			o := open(t)
			var moved time.Duration
			o.Now = func() time.Time { return time.Unix(1_900_000_000, 0).Add(moved) }
			o.Advance = func(d time.Duration) { moved += d }
			o.Store.(simple).now = o.Now
			return o
		}, Options{})
	})
}

// Every case fails for a store with the flaw that it should find.
func TestEveryCaseCanFail(t *testing.T) {
	t.Parallel()
	flaws := slices.Concat(coreFlaws, timeFlaws, raceFlaws, optionalFlaws)
	cases := allCases()
	caught := map[string]bool{}
	for _, f := range flaws {
		caught[f.caught] = true
		t.Run(f.caught+"/"+strings.ReplaceAll(f.does, " ", "_"), func(t *testing.T) {
			t.Parallel()
			c, ok := cases[f.caught]
			if !ok {
				t.Fatalf("no case %s", f.caught)
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBent()
				defer close(b.quit)
				f.bend(b)
				err := c.check(Opened{Store: b, Peers: []store.Store{b.peer}}, Options{})
				if err == nil {
					t.Errorf("a store that %s passes", f.does)
				} else {
					t.Log(strings.Split(err.Error(), "\n")[0])
				}
			})
		})
	}
	for name := range cases {
		if !caught[name] {
			t.Errorf("no flaw shows that %s can fail", name)
		}
	}
}

// A failure names the rule and the line of the case.
func TestFailureSaysTheRule(t *testing.T) {
	t.Parallel()
	for name, c := range allCases() {
		if !strings.HasPrefix(c.explain, "a Store must ") {
			t.Errorf("%s: the rule %q does not begin with \"a Store must\"", name, c.explain)
		}
		var rec recorder
		report(&rec, c, nil)
		if len(rec.failures) != 0 {
			t.Errorf("%s: a success is reported: %q", name, rec.failures)
		}
		report(&rec, c, errSomething)
		if len(rec.failures) != 1 {
			t.Fatalf("%s: %d failures reported, want 1", name, len(rec.failures))
		}
		file, _, _ := strings.Cut(c.source, ":")
		for _, part := range []string{errSomething.Error(), c.explain, c.source, "storetest/" + strings.TrimPrefix(file, "storetest/")} {
			if !strings.Contains(rec.failures[0], part) {
				t.Errorf("%s: failure %q does not say %q", name, rec.failures[0], part)
			}
		}
	}
	if got := allCases()["Swap/NeverCreates"].source; !strings.HasPrefix(got, "storetest/swap.go:") {
		t.Errorf("source of a case in swap.go is %q", got)
	}
}

// A store that hangs or panics fails like any other one with a flaw.
func TestHangAndPanicAreFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBent()
		defer close(b.quit)
		b.load = func(context.Context, string) (store.Record, error) {
			<-b.quit
			return store.Record{}, nil
		}
		err := allCases()["Load/Unknown"].check(Opened{Store: b}, Options{Timeout: time.Minute})
		if err == nil || !strings.Contains(err.Error(), "1m0s") {
			t.Errorf("a store that hangs: %v", err)
		}
	})
	b := newBent()
	defer close(b.quit)
	b.load = func(context.Context, string) (store.Record, error) { panic("oops") }
	err := allCases()["Load/Unknown"].check(Opened{Store: b}, Options{})
	if err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("a store that panics: %v", err)
	}
}

func allCases() map[string]testCase {
	cases := map[string]testCase{}
	for _, topic := range topics {
		for _, c := range topic.cases {
			name := topic.name + "/" + c.name
			if _, twice := cases[name]; twice {
				panic(fmt.Sprintf("two cases are called %s", name))
			}
			cases[name] = c
		}
	}
	return maps.Clone(cases)
}

type recorder struct{ failures []string }

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
