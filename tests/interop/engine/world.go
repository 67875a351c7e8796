// Package engine replays scenarios against the library: with real servers on loopback, a clock and
// an id generator of its own, and stores that record their calls.
package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/scenario"
)

// World is the state of one scenario. Its requests come one after the other, or nested, and never
// concurrently.
type World struct {
	scenario *scenario.Scenario
	stores   map[string]*Store
	servers  map[serverKey]*server
	apps     map[string]*app // by variant

	mu      sync.Mutex
	now     time.Time
	planned []string       // ids that the generator still has to return
	taken   bool           // the last id was in use, so the library will call again
	born    map[string]int // when each id was generated
	jars    map[string]*client.Jar
	active  []*request // the requests in progress, the innermost last
	faults  []*fault
	numbers numbers
}

// New sets up a scenario's application. The error says which of its options the library refuses.
func New(s *scenario.Scenario) (*World, error) {
	w := &World{
		scenario: s, now: s.Start, planned: slices.Clone(s.IDs), born: map[string]int{},
		jars: map[string]*client.Jar{}, stores: map[string]*Store{},
		servers: map[serverKey]*server{}, apps: map[string]*app{},
	}
	w.numbers.init()
	layers := map[string][]scenario.Layer{"": s.Layers}
	for name, l := range s.Variants {
		layers[name] = l
	}
	for name, l := range layers {
		a, err := w.newApp(l)
		if err != nil {
			w.Close()
			return nil, fmt.Errorf("variant %q: %w", name, err)
		}
		w.apps[name] = a
	}
	return w, nil
}

// Close ends the servers and stores.
func (w *World) Close() {
	for _, s := range w.servers {
		s.close()
	}
	for _, s := range w.stores {
		s.close()
	}
}

// Now returns the scenario's time.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *World) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// newID is the generator: it returns the ids that the scenario lists, then others.
func (w *World) newID(*http.Request) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var id string
	defer func() { w.taken = false }()
	if len(w.planned) > 0 && !w.taken { // express-session calls the generator once for each session
		id, w.planned = w.planned[0], w.planned[1:]
	} else {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("id"), uint64(len(w.born))))
		id = base64.RawURLEncoding.EncodeToString(sum[:24])
	}
	if _, again := w.born[id]; !again {
		w.born[id] = len(w.born)
	}
	return id, nil
}

// isTaken records that the last id was in use.
func (w *World) isTaken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = true
}

// placeholder returns an id that stands for one that the library never generated.
func (w *World) placeholder() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprintf("placeholder-%d", len(w.born))
	w.born[id] = len(w.born)
	return id
}

// generated reports whether the generator returned an id, and when.
func (w *World) generated(id string) (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.born[id]
	return at, ok
}

func (w *World) jar(name string) *client.Jar {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.jars[name] == nil {
		w.jars[name] = &client.Jar{}
	}
	return w.jars[name]
}

func (w *World) store(label string) *Store {
	if w.stores[label] == nil {
		w.stores[label] = newStore(w, label, w.scenario.Touch)
	}
	return w.stores[label]
}

// enter and leave mark the beginning and the end of a request. Calls of the stores belong to the
// innermost request.
func (w *World) enter(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = append(w.active, r)
}

func (w *World) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = w.active[:len(w.active)-1]
}

func (w *World) current() *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.active) == 0 {
		return nil
	}
	return w.active[len(w.active)-1]
}
