package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// end is the exchange's end, however the handler ended: by returning, by a panic, or by
// runtime.Goexit.
func (x *exchange[T]) end(returned bool) {
	if !x.gate.Opened() {
		return
	}
	ctx := x.ctx.Context
	if !returned {
		x.s.rollBack(ctx, ReasonPanicked)
		x.s.reportUnsent(ctx, ReasonPanicked)
	} else if x.response.timedOut() {
		x.s.abandon(ctx)
	}
	if !x.response.hijacked { // else the connection goes on, and saves by itself
		x.s.close(ctx, x.response.failed)
	}
}

// close takes note that the request is over. What is changed from now on is saved by
// nobody, unless by Save.
func (s *Session[T]) close(ctx context.Context, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headerSent, s.over = true, true
	if !failed && s.state <= stateStored && (len(s.updates) > 0 || s.settingsChanged || s.ownerMoved) {
		s.tooLateIn(ctx)
	}
}

func (s *Session[T]) tooLate() { s.tooLateIn(context.Background()) }

// tooLateIn reports a change after the request's end, once.
func (s *Session[T]) tooLateIn(ctx context.Context) {
	if s.overTold || s.state > stateStored {
		return
	}
	s.overTold = true
	s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonFinished}, s.key)
}

// timedOut reports whether http.TimeoutHandler, farther out, has answered in place of
// the handler: it discards the header that the session's cookie is in.
func (w *response[T]) timedOut() bool {
	if w.x.ctx.Err() == nil {
		return false
	}
	bottom := bottomOf(w.w)
	if fmt.Sprintf("%T", bottom) != "*http.timeoutWriter" { // writing nothing is harmless to this one
		return false
	}
	_, err := bottom.Write(nil)
	return errors.Is(err, http.ErrHandlerTimeout)
}

// bottomOf follows Unwrap to the writer that wraps no other.
func bottomOf(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// abandon ends what no client knows of, because its cookie was discarded: a session
// that this request has created. One that it has found in the store was saved as if the
// client had left.
func (s *Session[T]) abandon(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateStored || s.came() || s.alias != "" {
		return
	}
	s.m.emit(ctx, Event{Kind: EventCookieNotSent, Owner: s.owner, Reason: ReasonTimedOut}, s.key)
	if s.origin != s.m.codec.Empty {
		return // it was renewed, and has the client's data
	}
	d := s.m.outlive(ctx)
	defer d.End()
	if err := s.m.store.Delete(d, s.key); err != nil {
		s.m.emit(ctx, Event{Kind: EventSaveFailed, Owner: s.owner, Err: &storeError{fmt.Errorf("deleting: %w", err)}}, s.key)
		return
	}
	s.m.emit(ctx, Event{Kind: EventDropped, Owner: s.owner, Reason: ReasonTimedOut}, s.key)
	s.finish()
}

// reportUnsent tells that the store has the session under an id that the client was
// not told.
func (s *Session[T]) reportUnsent(ctx context.Context, reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateStored && !s.came() && s.alias == "" && !s.cookieSent {
		s.m.emit(ctx, Event{Kind: EventCookieNotSent, Owner: s.owner, Reason: reason}, s.key)
	}
}
