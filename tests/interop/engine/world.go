// Package engine replays scenarios against the library: real servers on loopback,
// a clock and an id generator of its own, stores that write down what is asked of
// them.
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

// World is where one scenario takes place. Its requests come one after the other,
// or one inside another, never side by side.
type World struct {
	scenario *scenario.Scenario
	stores   map[string]*Store
	servers  map[serverKey]*server
	apps     map[string]*app // by variant

	mu      sync.Mutex
	now     time.Time
	planned []string       // ids yet to be returned
	taken   bool           // the last one was in use, so that the library asks once more
	born    map[string]int // generated ids, by when
	jars    map[string]*client.Jar
	active  []*request // the innermost last
	faults  []*fault
	numbers numbers
}

// New sets up a scenario's application. The error says which of its options the
// library refuses.
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

// Now is the scenario's clock.
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

// newID is the generator: the ids that the scenario lists, then others.
func (w *World) newID(*http.Request) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var id string
	defer func() { w.taken = false }()
	if len(w.planned) > 0 && !w.taken { // express-session asks once a session
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

// isTaken notes that the last id was in use.
func (w *World) isTaken() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = true
}

// placeholder is an id that stands for one which the library never made.
func (w *World) placeholder() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprintf("placeholder-%d", len(w.born))
	w.born[id] = len(w.born)
	return id
}

// generated tells whether an id came from the generator, and when.
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

// enter and leave bracket a request; calls of the stores are the innermost's.
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
