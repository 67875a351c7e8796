package session

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nestsession/session/internal/crew"
	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/store"
)

// visits does something to each session of an owner, once, several sessions at a time.
//
// A store does not list all records at the same instant. A session that is renewed during
// the listing may be seen under neither id: the new record is too new, and the old one is
// already a pointer. But that pointer has the same owner, and the listing always contains
// it.
type visits[T any] struct {
	m     *Manager[T]
	owner string
	keep  []*Session[T] // these are not visited
	again int           // after more visits than this, the owner is listed again
	do    func(context.Context, *listed[T]) error

	mu   sync.Mutex
	seen map[string]bool // keys of the visited records
}

// claim reports whether the session under key has not been visited yet. The caller then
// visits it.
func (v *visits[T]) claim(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen[key] {
		return false
	}
	v.seen[key] = true
	return true
}

// all makes the visits. After an error it begins no further visit, but waits for those that
// have begun, so that their results are known.
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
	c := crew.Crew{Size: v.m.visitors}
	pointers := map[string]string{}
	var later []string
	var doubtful []*listed[T]
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
			later = append(later, l.key) // it may have been visited under an older id
		case !v.claim(l.key):
		default:
			switch kept, perhaps := v.kept(&l); {
			case kept:
			case perhaps:
				doubtful = append(doubtful, &l)
			default:
				visited++
				c.Begin(func() error { return v.do(ctx, &l) })
			}
		}
		if c.Failed() {
			break
		}
	}
	if err == nil && len(doubtful) > 0 {
		var kept map[string]bool
		kept, err = v.keptNow(ctx)
		for _, l := range doubtful {
			if err == nil && !kept[l.key] {
				visited++
				c.Begin(func() error { return v.do(ctx, l) })
			}
		}
	}
	if err = errors.Join(c.Wait(), err); err != nil {
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
			var kept map[string]bool
			if kept, err = v.keptNow(ctx); err == nil && !kept[l.key] {
				visited++
				err = v.do(ctx, l)
			}
		}
		if err != nil {
			return visited, err
		}
	}
	return visited, nil
}

// kept reports whether a session is one of those to keep, or may be one. Another request
// may have renewed it, but renewal does not change the time of creation.
func (v *visits[T]) kept(l *listed[T]) (kept, perhaps bool) {
	for _, s := range v.keep {
		s.mu.Lock()
		created := s.doc.Meta.Created
		kept = kept || s.key == l.key
		perhaps = perhaps || s.state != stateNew && l.doc != nil && (created == 0 || created == l.doc.Meta.Created)
		s.mu.Unlock()
	}
	return kept, perhaps
}

// keptNow loads from the store the keys, old and new, of the sessions to keep.
func (v *visits[T]) keptNow(ctx context.Context) (map[string]bool, error) {
	keys := map[string]bool{}
	for _, s := range v.keep {
		s.mu.Lock()
		key := s.key
		s.mu.Unlock()
		for range maxHops {
			if keys[key] = true; key == "" {
				break
			}
			l, err := v.m.at(ctx, key)
			if err != nil {
				return nil, err
			}
			key = l.successor
		}
	}
	return keys, nil
}

// findOwned returns the owner's session with the given digest, nil if there is none.
func (m *Manager[T]) findOwned(ctx context.Context, owner, digest string) (*listed[T], error) {
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

// follow finds a session from the key at which it was last seen, even if it was renewed
// long ago. It returns nil if the session has ended.
func (m *Manager[T]) follow(ctx context.Context, key string) (*listed[T], error) {
	for range maxHops {
		l, err := m.at(ctx, key)
		if l.live || err != nil {
			return &l, err
		}
		if key = l.successor; key == "" {
			break
		}
	}
	return nil, nil
}

// at reads the record under key. If there is none, the result is neither live nor a
// pointer.
func (m *Manager[T]) at(ctx context.Context, key string) (listed[T], error) {
	d := deadline.Within(ctx, m.loadTimeout)
	defer d.End()
	rec, err := m.loadRecord(d, key)
	switch {
	case err == nil:
		return m.read(rec), nil
	case errors.Is(err, store.ErrNotFound):
		return listed[T]{}, nil
	}
	return listed[T]{}, &storeError{fmt.Errorf("loading: %w", err)}
}
