package throttle

import (
	"hash/maphash"
	"sync"
	"time"
)

// memory remembers keys for a while, in fixed memory as a [Limiter] does. A key that shares its
// slots in both rows with others counts as known, which costs little here; and no key is forgotten
// to make room.
type memory struct {
	keep  time.Duration
	now   func() time.Time
	start time.Time
	seeds [2]maphash.Seed

	mu   sync.Mutex
	rows [2][]time.Duration // until when, since start
}

func newMemory(keep time.Duration, now func() time.Time) *memory {
	if now == nil {
		now = time.Now
	}
	m := &memory{keep: keep, now: now, start: now()}
	for i := range m.rows {
		m.seeds[i] = maphash.MakeSeed()
		m.rows[i] = make([]time.Duration, slots)
	}
	return m
}

func (m *memory) put(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	until := m.now().Sub(m.start) + m.keep
	for i := range m.rows {
		m.rows[i][maphash.String(m.seeds[i], key)%slots] = until
	}
}

func (m *memory) has(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Sub(m.start)
	for i := range m.rows {
		if m.rows[i][maphash.String(m.seeds[i], key)%slots] <= now {
			return false
		}
	}
	return true
}
