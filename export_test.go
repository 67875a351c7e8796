package session

// VisitOneByOne makes m visit an owner's sessions one after another, so that the order
// of its store calls depends on nothing but the order in which a test lets them through.
func (m *Manager[T]) VisitOneByOne() { m.records.Visitors = 1 }

// StateOf names the state of a request's session.
func StateOf[T any](s *Session[T]) string {
	return [...]string{"new", "stored", "ending", "ended", "discarded"}[s.state]
}
