package devicebound

import (
	"sync"
	"time"
)

// recently remembers the keys whose first proof a request of this process is saving, so that
// the requests that a page sends at the same time do not save it too.
type recently struct {
	mu sync.Mutex
	at map[string]time.Time // by binding.id
}

const (
	maxRecently = 1024
	recentFor   = 5 * time.Second // then the request may have failed, and another one saves
)

// first reports whether no request has asked for id a short time ago.
func (c *recently) first(id string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.at[id]; ok && now.Sub(at) < recentFor {
		return false
	}
	if c.at == nil || len(c.at) == maxRecently {
		c.at = map[string]time.Time{}
	}
	c.at[id] = now
	return true
}
