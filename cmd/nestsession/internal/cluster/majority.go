package cluster

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	askEvery = 500 * time.Millisecond
	fresh    = 2 * time.Second // how long an answer of the majority counts
	patience = 5 * time.Second // how long requests wait for one: while a leader is elected, for example
)

// Majority knows whether this node can reach the majority of the nodes.
type Majority struct {
	end   context.CancelFunc
	ended chan struct{}

	mu       sync.Mutex
	answered time.Time     // when the last question was asked that was answered
	next     chan struct{} // closed at the next answer
}

// WatchMajority asks with ping, which returns nil if the majority answers, until Close.
func WatchMajority(ping func(context.Context) error) *Majority {
	m := &Majority{ended: make(chan struct{}), next: make(chan struct{})}
	var ctx context.Context
	ctx, m.end = context.WithCancel(context.Background())
	go m.watch(ctx, ping)
	return m
}

func (m *Majority) watch(ctx context.Context, ping func(context.Context) error) {
	defer close(m.ended)
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		asked := time.Now()
		limited, cancel := context.WithTimeout(ctx, patience)
		if ping(limited) == nil {
			m.mu.Lock()
			m.answered = asked
			close(m.next)
			m.next = make(chan struct{})
			m.mu.Unlock()
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Close stops asking.
func (m *Majority) Close() error {
	m.end()
	<-m.ended
	return nil
}

// reached reports whether the majority answers, and waits for it if it did until shortly before.
func (m *Majority) reached(ctx context.Context) bool {
	for {
		m.mu.Lock()
		silent, next := time.Since(m.answered), m.next
		m.mu.Unlock()
		if silent < fresh {
			return true
		}
		if silent > fresh+patience {
			return false
		}
		late := time.NewTimer(fresh + patience - silent)
		select {
		case <-next:
		case <-late.C:
		case <-ctx.Done():
			late.Stop()
			return false
		}
		late.Stop()
	}
}

// Handler lets requests through to next while the majority can be reached, and others to refuse. Even
// a page that needs neither users nor sessions is refused, because a proxy would take it for a sign
// that this node works.
func (m *Majority) Handler(next, refuse http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || m.reached(r.Context()) {
			next.ServeHTTP(w, r) // the health says why
			return
		}
		refuse.ServeHTTP(w, r)
	})
}
