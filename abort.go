package session

import (
	"context"
	"net/http"
)

// Abort is [Manager.Commit] for a handler that has panicked or failed. It drops the
// unsaved changes, which an event with the reason reports: [ReasonPanicked] or
// [ReasonFailed]. It adds a cookie to h only if the store already has what the cookie is
// for: after Save, Renew or Regenerate the client gets the new id, and after Destroy its
// cookie expires. A failed request does not count as use of the session. The error is Commit's.
func (m *Manager[T]) Abort(ctx context.Context, s *Session[T], h http.Header, reason Reason) error {
	ctx = m.exchanges.Quiet(ctx)
	s.rollBack(ctx, reason)
	if _, idle := s.outlook(); idle {
		return nil
	}
	return m.Commit(ctx, s, h)
}
