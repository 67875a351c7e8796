package records

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/nestsession/session/internal/crew"
	"github.com/nestsession/session/internal/document"
)

const (
	// maxPasses limits how often an owner's sessions are listed again.
	maxPasses = 8
	// maxVisits is how many sessions are visited at a time. Stores batch calls that are
	// made at the same time.
	maxVisits = 16
)

// Kept is a session of a request that is not visited. It returns the session's key, its
// time of creation, and whether it is stored.
type Kept func() (key string, created document.Instant, stored bool)

// visits does something to each session of an owner, once, several sessions at a time.
//
// A store does not list all records at the same instant. A session that is renewed during
// the listing may be seen under neither id: the new record is too new, and the old one is
// already a pointer. But that pointer has the same owner, and the listing always contains
// it.
type visits struct {
	r     *Records
	owner string
	keep  []Kept // these are not visited
	again int    // after more visits than this, the owner is listed again
	do    func(context.Context, *Listed) error

	mu   sync.Mutex
	seen map[string]bool // keys of the visited records
}

// claim reports whether the session under key has not been visited yet. The caller then
// visits it.
func (v *visits) claim(key string) bool {
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
func (v *visits) all(ctx context.Context) error {
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

func (v *visits) pass(ctx context.Context, pass int) (visited int, err error) {
	c := crew.Crew{Size: cmp.Or(v.r.Visitors, maxVisits)}
	pointers := map[string]string{}
	var later []string
	var doubtful []*Listed
	for rec, listErr := range v.r.list(ctx, v.owner) {
		if err = listErr; err != nil {
			break
		}
		switch l := v.r.read(rec); {
		case l.Owner != v.owner:
		case l.Successor != "":
			pointers[l.Key] = l.Successor
			later = append(later, l.Key)
		case !l.Live:
		case pass > 0:
			later = append(later, l.Key) // it may have been visited under an older id
		case !v.claim(l.Key):
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
			if err == nil && !kept[l.Key] {
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
		l, err := v.r.follow(ctx, key)
		if err == nil && l != nil && l.Owner == v.owner && v.claim(l.Key) {
			var kept map[string]bool
			if kept, err = v.keptNow(ctx); err == nil && !kept[l.Key] {
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
func (v *visits) kept(l *Listed) (kept, perhaps bool) {
	for _, s := range v.keep {
		key, created, stored := s()
		kept = kept || key == l.Key
		perhaps = perhaps || stored && l.Doc != nil && (created == 0 || created == l.Doc.Bookkeeping().Created)
	}
	return kept, perhaps
}

// keptNow loads from the store the keys, old and new, of the sessions to keep.
func (v *visits) keptNow(ctx context.Context) (map[string]bool, error) {
	keys := map[string]bool{}
	for _, s := range v.keep {
		key, _, _ := s()
		for range maxHops {
			if keys[key] = true; key == "" {
				break
			}
			l, err := v.r.at(ctx, key)
			if err != nil {
				return nil, err
			}
			key = l.Successor
		}
	}
	return keys, nil
}
