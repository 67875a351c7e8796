package move

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nestsession/session/store"
)

// EndMissing ends the sessions at the destination that the source no longer has, because they were
// ended there after an earlier copy. No other program may write to the destination. Call it after
// Run, which must have found something: an empty source is most likely the wrong one.
func (m *Mover) EndMissing(ctx context.Context) error {
	if m.tally.read.Load() == 0 {
		return errors.New("the source has no sessions and may be the wrong store: no session is ended at the destination")
	}
	lister, ok := store.As[store.Lister](m.to)
	if !ok {
		return fmt.Errorf("the destination cannot list its sessions: %w", errors.ErrUnsupported)
	}
	ctx, m.stop = context.WithCancelCause(ctx)
	defer m.stop(nil)
	keys := make(chan string)
	var workers sync.WaitGroup
	for range m.o.Workers {
		workers.Go(func() {
			for key := range keys {
				if err := m.endIfMissing(ctx, key); err != nil {
					m.stop(err)
				}
			}
		})
	}
	var failed error
	for r, err := range lister.List(ctx, "") {
		if failed = err; err != nil || ctx.Err() != nil {
			break
		}
		if age(r.Data).over {
			continue // it has ended there too
		}
		select {
		case keys <- r.ID:
		case <-ctx.Done():
		}
	}
	close(keys)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return failed
}

func (m *Mover) endIfMissing(ctx context.Context, key string) error {
	_, err := m.from.Load(ctx, key)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return m.end(ctx, key)
}

// endThere ends a session at the destination that has ended at the source after an
// earlier copy.
func (m *Mover) endThere(ctx context.Context, key string) error {
	there, err := m.to.Load(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ending a session at the destination: %w", err)
	}
	if at := age(there.Data); at.over || at.pointer {
		return nil // it has ended there too, or has another id there, under which it lives on
	}
	return m.end(ctx, key)
}

func (m *Mover) end(ctx context.Context, key string) error {
	if err := m.to.Delete(ctx, key); err != nil {
		return fmt.Errorf("ending a session at the destination: %w", err)
	}
	m.tally.count(Ended, nil)
	return nil
}
