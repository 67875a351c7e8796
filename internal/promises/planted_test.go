package promises

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// hasty makes logins list the owner's sessions before they store their own: it delays the
// create of a login until the login and all others have listed.
type hasty struct {
	store.Store
	others *sync.WaitGroup // that have not listed yet

	mu      sync.Mutex
	waiting map[*attempt]store.Record
	stored  map[string]store.Version // the versions of the records that were delayed
}

func (h *hasty) Create(ctx context.Context, r store.Record) (store.Version, error) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return h.Store.Create(ctx, r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting[a] = r
	return 1, nil
}

func (h *hasty) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r, err := range h.Store.(store.Lister).List(ctx, owner) {
			if !yield(r, err) {
				return
			}
		}
		a, _ := ctx.Value(attemptKey{}).(*attempt)
		h.mu.Lock()
		r, ok := h.waiting[a]
		delete(h.waiting, a)
		h.mu.Unlock()
		if !ok {
			return
		}
		h.others.Done()
		h.others.Wait()
		v, err := h.Store.Create(ctx, r)
		h.mu.Lock()
		h.stored[r.ID] = v
		h.mu.Unlock()
		r.Version = 1
		yield(r, err)
	}
}

func (h *hasty) Update(ctx context.Context, r store.Record) (store.Version, error) {
	h.mu.Lock()
	if v, ok := h.stored[r.ID]; ok && r.Version == 1 {
		r.Version = v
	}
	h.mu.Unlock()
	return h.Store.Update(ctx, r)
}

// The check of histories finds logins that list before they store.
func TestTheHistoryShowsALimitThatListsTooEarly(t *testing.T) {
	t.Parallel()
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const logins = 8
			var others sync.WaitGroup
			others.Add(logins)
			shared := &hasty{others: &others, waiting: map[*attempt]store.Record{}, stored: map[string]store.Version{}}
			c := newCrowd(t, Env{
				Store: func(t *testing.T) store.Store {
					s := memstore.New(memstore.Config{})
					t.Cleanup(func() { _ = s.Close() })
					return s
				},
				Node: func(_ *testing.T, s store.Store) store.Store {
					shared.Store = s
					return shared
				},
			}, limit.of(2), skewed)
			var all sync.WaitGroup
			for i := range logins {
				all.Go(func() { c.login(i % len(c.nodes)) })
			}
			all.Wait()
			found := strings.Join(c.violations(2, limit.refuses), "\n")
			if !strings.Contains(found, "8 sessions are live, with a limit of 2") {
				t.Errorf("found: %s", found)
			}
		})
	}
}

// The check of histories finds what a limit must not do.
func TestTheHistoryShowsWhatALimitMustNotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuses bool
		history []*attempt
		want    string // "": nothing
	}{
		"the older ends":             {false, []*attempt{{began: 1, answered: 2, accepted: true}, {began: 3, answered: 4, accepted: true, lives: true}}, ""},
		"either of two at once ends": {false, []*attempt{{began: 1, answered: 4, accepted: true, lives: true}, {began: 2, answered: 3, accepted: true}}, ""},
		"the newer ends":             {false, []*attempt{{began: 1, answered: 2, accepted: true, lives: true}, {began: 3, answered: 4, accepted: true}}, "which was answered before, lives"},
		"both end":                   {false, []*attempt{{began: 1, answered: 2, accepted: true}, {began: 3, answered: 4, accepted: true}}, "0 sessions are live of 2"},
		"both live":                  {false, []*attempt{{began: 1, answered: 2, accepted: true, lives: true}, {began: 3, answered: 4, accepted: true, lives: true}}, "2 sessions are live"},
		"the newest is refused":      {false, []*attempt{{began: 1, answered: 2, accepted: true, lives: true}, {began: 3, answered: 4, refused: true}}, "although only 0 of the others could be newer"},
		"the newer is refused":       {true, []*attempt{{began: 1, answered: 2, accepted: true, lives: true}, {began: 3, answered: 4, refused: true}}, ""},
		"both are refused":           {true, []*attempt{{began: 1, answered: 4, refused: true}, {began: 2, answered: 3, refused: true}}, "at most 0 sessions were live"},
		"refused after a logout":     {true, []*attempt{{began: 1, answered: 2, accepted: true, logout: 3, loggedOut: 4}, {began: 5, answered: 6, refused: true}}, "at most 0 sessions were live"},
		"refused in a logout":        {true, []*attempt{{began: 1, answered: 2, accepted: true, logout: 3, loggedOut: 6}, {began: 4, answered: 5, refused: true}}, ""},
		"accepted before a logout":   {true, []*attempt{{began: 1, answered: 2, accepted: true, logout: 5, loggedOut: 6}, {began: 3, answered: 4, accepted: true, lives: true}}, "was the 2th of sessions"},
		"accepted in a logout":       {true, []*attempt{{began: 1, answered: 2, accepted: true, logout: 3, loggedOut: 6}, {began: 4, answered: 5, accepted: true, lives: true}}, ""},
		"ended by nobody":            {true, []*attempt{{began: 1, answered: 2, accepted: true}}, "although nobody has ended it"},
	} {
		found := strings.Join(violations(1, c.refuses, c.history), "\n")
		if (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
}
