package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// bent is a store that breaks its contract, as a fault could make it.
type bent struct {
	store.Store
	mu     sync.Mutex
	breaks string
	other  *store.Record // another's record
}

func (b *bent) how() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.breaks
}

func (b *bent) setFlaw(how string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breaks = how
}

func (b *bent) Load(ctx context.Context, id string) (store.Record, error) {
	r, err := b.Store.Load(ctx, id)
	switch b.how() {
	case "loses a session":
		return store.Record{}, store.ErrNotFound
	case "swaps sessions":
		r.Data, r.Owner = b.other.Data, b.other.Owner
	case "":
		b.mu.Lock()
		if b.other == nil && strings.Contains(string(r.Data), "eve") {
			b.other = &r
		}
		b.mu.Unlock()
	}
	return r, err
}

func (b *bent) Update(ctx context.Context, r store.Record) (store.Version, error) {
	switch b.how() {
	case "loses a save", "revives a session":
		return r.Version, nil
	case "saves twice":
		r.Data = []byte(strings.Replace(string(r.Data), `"Count":1,"Sum":1`, `"Count":2,"Sum":3`, 1))
	case "saves half":
		r.Data = []byte(strings.Replace(string(r.Data), `"Sum":1`, `"Sum":0`, 1))
	case "hangs":
		<-ctx.Done()
		<-time.After(2 * short) // the write is not canceled with the context
	}
	return b.Store.Update(ctx, r)
}

func (b *bent) Delete(ctx context.Context, id string) error {
	if b.how() == "revives a session" {
		return nil
	}
	return b.Store.Delete(ctx, id)
}

// short is the time limit of a test that needs a request to exceed it.
const short = time.Second

// notes records the failures of a test.
type notes struct {
	testing.TB
	mu  sync.Mutex
	all []string
}

func (n *notes) Errorf(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf(format, args...))
}

// TestOracle: the tests find each fault that they look for in a store that has it, and none in a
// correct store.
func TestOracle(t *testing.T) {
	watchGoroutines(t)
	for how, want := range map[string]string{
		"":                  "",
		"loses a session":   "is gone",
		"loses a save":      "only 0 are there",
		"saves twice":       "only 1 were asked for",
		"saves half":        "an inconsistent session",
		"swaps sessions":    "is gone", // the bookkeeping of one record is not accepted in another
		"revives a session": "is back",
		"hangs":             "took",
	} {
		t.Run(how, func(t *testing.T) {
			memory := memstore.New(memstore.Config{})
			defer memory.Close()
			s := &bent{Store: memory}
			n := newNode(t, s, unhurried)
			found := &notes{TB: t}
			ada, eve := newBrowser(found, "ada"), newBrowser(found, "eve")
			ada.mustLogin(n)
			eve.mustLogin(n)
			eve.look(n)
			if s.setFlaw(how); how == "hangs" {
				n.maxWait = short
			}
			if how != "revives a session" {
				ada.add(n)
				ada.look(n)
			}
			if how == "revives a session" || how == "" {
				if a := eve.logout(n, "/logout"); a.status != http.StatusOK {
					t.Fatalf("%v", a)
				}
				eve.look(n)
			}
			got := strings.Join(found.all, "\n")
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("a store that %s: found %q, want %q", how, got, want)
			}
		})
	}
}
