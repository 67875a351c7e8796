package session

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nestsession/session/store"
)

const (
	// maxPasses bounds how often an owner's sessions are listed again.
	maxPasses = 8
	// maxVisits is how many sessions are visited at a time. Stores send calls together
	// that come together.
	maxVisits = 16
)

// visits does something to each session of an owner, once, several at a time.
//
// A store does not list all records at the same instant: a session that is renewed
// meanwhile may be seen under neither id, its new record being too new and the old one
// pointing to it by then. But that pointer is the owner's too, and is seen for certain.
type visits[T any] struct {
	m     *Manager[T]
	owner string
	keep  []*Session[T] // are not visited
	again int           // the owner is listed again after more visits than these
	do    func(context.Context, *listed[T]) error

	mu   sync.Mutex
	seen map[string]bool // keys of what was visited
}

// claim reports whether the session under key is yet to be visited, which the caller
// then does.
func (v *visits[T]) claim(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[key] {
		return false
	}
	v.seen[key] = true
	return true
}

// all makes the visits. After an error none begins, but those that have begun are
// ended, so that it is known what they have done.
func (v *visits[T]) all(ctx context.Context) error {
	if v.owner == "" {
		return ErrNoOwner
	}
	v.seen = map[string]bool{}
	for pass := range maxPasses {
		if n, err := v.pass(ctx, pass); err != nil || n <= v.again {
			return err
		}
	}
	return nil
}

func (v *visits[T]) pass(ctx context.Context, pass int) (visited int, err error) {
	var c crew
	pointers := map[string]string{}
	var later []string
	for rec, listErr := range v.m.records(ctx, v.owner) {
		if err = listErr; err != nil {
			break
		}
		switch l := v.m.read(rec); {
		case l.owner != v.owner:
		case l.successor != "":
			pointers[l.key] = l.successor
			later = append(later, l.key)
		case !l.live:
		case pass > 0:
			later = append(later, l.key) // it may be one that was visited under an older id
		case v.claim(l.key):
			visited++
			c.begin(func() error { return v.visit(ctx, &l) })
		}
		if c.failed() {
			break
		}
	}
	if err = errors.Join(c.wait(), err); err != nil {
		return visited, err
	}
	for from, to := range pointers {
		for visited := v.seen[from]; visited && to != "" && v.claim(to); to = pointers[to] {
		}
	}
	for _, key := range later {
		if v.seen[key] || v.seen[pointers[key]] {
			continue
		}
		l, err := v.m.follow(ctx, key)
		if err == nil && l != nil && l.owner == v.owner && v.claim(l.key) {
			visited++
			err = v.visit(ctx, l)
		}
		if err != nil {
			return visited, err
		}
	}
	return visited, nil
}

func (v *visits[T]) visit(ctx context.Context, l *listed[T]) error {
	for _, s := range v.keep {
		if kept, err := s.leadsTo(ctx, l); kept || err != nil {
			return err
		}
	}
	return v.do(ctx, l)
}

// find returns the owner's session for which the digest stands, nil if there is none.
func (m *Manager[T]) find(ctx context.Context, owner, digest string) (*listed[T], error) {
	if owner == "" {
		return nil, ErrNoOwner
	}
	for rec, err := range m.records(ctx, owner) {
		if err != nil {
			return nil, err
		}
		if m.digest(rec.ID) != digest {
			continue
		}
		l := m.read(rec)
		found := &l
		if l.owner == owner && l.successor != "" {
			if found, err = m.follow(ctx, l.successor); found == nil || err != nil {
				return nil, err
			}
		}
		if found.owner != owner || !found.live {
			return nil, nil
		}
		return found, nil
	}
	return nil, nil
}

// follow looks for a session where it was last seen, and where it was renewed to,
// however long ago. It returns nil if it has ended.
func (m *Manager[T]) follow(ctx context.Context, key string) (*listed[T], error) {
	d := within(ctx, m.loadTimeout)
	defer d.end()
	for range maxHops {
		rec, err := m.store.Load(d, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, &storeError{fmt.Errorf("loading: %w", err)}
		}
		l := m.read(rec)
		if l.live {
			return &l, nil
		}
		if key = l.successor; key == "" {
			break
		}
	}
	return nil, nil
}

// leadsTo reports whether the record is the session's, which another request may have
// renewed since this one looked. A renewal keeps the time at which a session was
// created, so that the store is asked only about records that have it in common.
func (s *Session[T]) leadsTo(ctx context.Context, l *listed[T]) (bool, error) {
	s.mu.Lock()
	at, state, created := s.key, s.state, s.doc.meta.Created
	s.mu.Unlock()
	if at == l.key || state == stateNew || l.doc == nil || created != 0 && created != l.doc.meta.Created {
		return at == l.key, nil
	}
	d := within(ctx, s.m.loadTimeout)
	defer d.end()
	for range maxHops {
		rec, err := s.m.store.Load(d, at)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return false, &storeError{fmt.Errorf("loading: %w", err)}
		}
		if at = s.m.read(rec).successor; at == "" || at == l.key {
			break
		}
	}
	return at == l.key, nil
}

// crew does jobs, several at a time, and begins none after one has failed.
type crew struct {
	jobs  sync.WaitGroup
	slots chan struct{}

	mu       sync.Mutex
	err      error
	panicked any
}

func (c *crew) begin(job func() error) {
	if c.slots == nil {
		c.slots = make(chan struct{}, maxVisits)
	}
	c.slots <- struct{}{}
	if c.failed() {
		return
	}
	c.jobs.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				c.mu.Lock()
				c.panicked = p
				c.mu.Unlock()
			}
			<-c.slots
		}()
		if err := job(); err != nil {
			c.mu.Lock()
			c.err = errors.Join(c.err, err)
			c.mu.Unlock()
		}
	})
}

func (c *crew) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil || c.panicked != nil
}

// wait waits for the jobs, and returns their errors. The caller panics as a job has, so
// that a server that recovers from a handler's panic does so.
func (c *crew) wait() error {
	c.jobs.Wait()
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.err
}
