package natsstore

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/store"
)

// page is how many messages a listing reads at a time.
const page = 100

// List implements [store.Lister]. By owner it reads the owner's index and then the sessions; otherwise
// it reads all sessions. It remembers the ids that it has yielded.
func (s *Store) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := s.list(ctx, owner, func(r store.Record) bool { return yield(r, nil) })
		if err != nil && !errors.Is(err, errStopped) {
			yield(store.Record{}, s.wrap(ctx, "listing", err))
		}
	}
}

var errStopped = errors.New("the loop has stopped")

func (s *Store) list(ctx context.Context, owner string, yield func(store.Record) bool) error {
	space := s.prefix + "id."
	if owner != "" {
		space = s.prefix + "owner." + token(owner) + "."
	}
	seen := map[string]struct{}{}
	return s.scan(ctx, space, func(messages []*nats.Msg) error {
		var found []state
		for _, m := range messages {
			st, subject, err := decodeAnswer(m)
			if err != nil {
				return err
			}
			_, again := seen[st.id]
			if st.live && !again && !strings.HasPrefix(lastToken(subject), "b") {
				seen[st.id] = struct{}{}
				found = append(found, st)
			}
		}
		if owner != "" {
			if err := s.loadOwned(ctx, owner, found); err != nil {
				return err
			}
		}
		for _, st := range found {
			if err := s.usable(ctx); err != nil {
				return err
			}
			r, err := st.record(st.id, s.config.Now())
			if err != nil || owner != "" && st.owner != owner {
				continue // it has ended, or has another owner
			}
			s.known.put(st.id, st)
			if !yield(r) {
				return errStopped
			}
		}
		return nil
	})
}

// scan calls fn for pages of messages whose subject is the space and a token. A message that replaces
// another while the scan is under way has a later place, so the scan meets it there. Each page comes
// after a barrier in the same space, and the last page has that barrier: so everything that was
// acknowledged before has been read, whichever servers have answered.
func (s *Store) scan(ctx context.Context, space string, fn func([]*nats.Msg) error) error {
	for from := uint64(1); ; {
		messages, whole, err := s.scanPage(ctx, space, from)
		if err != nil {
			return err
		}
		for _, m := range messages {
			from = max(from, sequence(m)+1)
		}
		if err := fn(messages); err != nil || whole {
			return err
		}
	}
}

// usable returns an error if the store is closed or ctx has ended.
func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// scanPage reads the next messages from the sequence on. Whole says that there are no more.
func (s *Store) scanPage(ctx context.Context, space string, from uint64) (messages []*nats.Msg, whole bool, err error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	err = attempts(ctx, func(ctx context.Context) error {
		own := space + s.instance
		barrier, err := s.putBarrier(ctx, own)
		if err != nil {
			return err
		}
		for n := 0; ; n++ {
			var more bool
			messages, _, more, err = s.answers.ask(ctx, s.conn, map[string]any{"next_by_subj": space + "*", "seq": from, "batch": page})
			if err != nil {
				return err
			}
			whole = false
			for _, m := range messages {
				whole = whole || m.Header.Get("Nats-Subject") == own && sequence(m) >= barrier
			}
			if whole || more {
				whole = whole && !more
				return nil
			}
			if !pause(ctx, n-4) {
				return errSilent
			}
		}
	})
	return messages, whole, err
}

// loadOwned replaces the entries of an owner's index by the sessions. It removes an entry whose session
// has ended or has another owner.
func (s *Store) loadOwned(ctx context.Context, owner string, entries []state) error {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	errs := make([]error, len(entries))
	var wg sync.WaitGroup
	for i := range entries {
		wg.Go(func() {
			entry := entries[i]
			entries[i], errs[i] = s.load(ctx, entry.id)
			if st := entries[i]; errs[i] == nil && (!st.live || st.owner != owner) {
				s.trim(ctx, s.entrySubject(owner, entry.id), entry.seq, st.seq)
			}
		})
	}
	wg.Wait()
	return cmp.Or(errs...) // one says enough
}
