package pgxstore

import (
	"context"
	"time"

	"github.com/nestsession/session/store"
)

// Watch implements [store.Watcher]. The documentation of the package says which changes it
// reports. It reports an event with Whole every [Config.Heartbeat] while the connection
// works. Until there is a connection, Watch keeps trying, and reports no event.
func (s *Store) Watch(ctx context.Context, fn func(store.Event)) error {
	return s.changes.Watch(ctx, fn)
}

// timeout is how long a connection may take to answer.
func (s *Store) timeout() time.Duration { return max(3*s.config.Heartbeat, time.Second) }
