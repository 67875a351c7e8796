package natsstore

import "sync"

// memo remembers the states that were read or written lately, without the data. An Update then knows
// what it replaces without a read. What it remembers of a version is true forever, so a state that has
// been replaced does no harm: the swap is refused.
type memo struct {
	mu           sync.Mutex
	young, older map[string]state
}

// maxMemo is how many states each generation has.
const maxMemo = 4096

func (m *memo) get(id string) (state, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st, ok := m.young[id]
	if !ok {
		st, ok = m.older[id]
	}
	return st, ok
}

func (m *memo) put(id string, st state) {
	st.data = nil
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || len(m.young) >= maxMemo {
		m.young, m.older = make(map[string]state), m.young
	}
	m.young[id] = st
}

func (m *memo) drop(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, id)
	delete(m.older, id)
}
