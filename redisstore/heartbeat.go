package redisstore

import (
	"context"
	"time"
)

// beat polls the servers every [Config.Heartbeat] while the store is watched. An answer proves
// that the server has reported all changes before the poll, since they arrive over the same
// connection. A poll also makes a connection where there is none.
func (s *Store) beat(ctx context.Context) {
	ticker := time.NewTicker(s.config.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.tracking.feed.Watched() {
			continue
		}
		polled := time.Now()
		if s.topology.heartbeat(ctx) == nil {
			s.tracking.wholeAt(polled)
		}
	}
}
