package eventstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/nestsession/session"
)

var (
	errDisconnected = errors.New("eventstream: the client has disconnected")
	errDone         = errors.New("eventstream: the stream is over")
)

// Stream is what a handler sends its events to. Its methods may be called from several
// goroutines.
type Stream struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	ctx     context.Context         // ends with the session, and with the client
	lose    context.CancelCauseFunc // ends it because of the client
	lastID  string
	options Options

	turn  chan struct{} // holds a token while the response is written; guards the fields below
	over  bool          // nothing is written any more
	lost  error         // why a write has failed
	buf   []byte
	timer *time.Timer // of the heartbeat; nil: none
}

func (s *Stream) lock()   { s.turn <- struct{}{} }
func (s *Stream) unlock() { <-s.turn }

// LastID returns the ID of the last event that the browser got before the connection
// broke, so that the handler can send what it missed; "" at the first connection. The client
// sends it (the header Last-Event-ID), so it can be anything.
func (s *Stream) LastID() string { return s.lastID }

// Send sends an event. It waits until the connection has room for it, for at most
// Options.WriteTimeout. When the session has ended it sends nothing.
//
// Errors: [ErrField], after which the stream goes on; else the stream has ended, and the error is
// the cause, see [Serve].
func (s *Stream) Send(e Event) error {
	if err := e.check(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer s.unlock()
	case <-s.ctx.Done(): // another Send holds the token
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	s.buf = e.append(s.buf[:0])
	return s.write()
}

// begin sends the header and a first line: some proxies forward nothing before that.
func (s *Stream) begin() error {
	s.lock()
	defer s.unlock()
	s.buf = append(s.buf, ":\n\n"...)
	if s.options.Retry > 0 {
		s.buf = (&Event{Retry: s.options.Retry}).append(s.buf[:0])
	}
	if err := s.flush(); err != nil {
		return fmt.Errorf("eventstream: sending the header: %w", err)
	}
	return nil
}

// ignoreUnsupported ignores the error of a response that has no deadlines, as in tests.
func ignoreUnsupported(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// flush sends buf. Between two writes there is no deadline: HTTP/2 resets a stream whose deadline
// has passed, even if nothing is written.
func (s *Stream) flush() error {
	if err := ignoreUnsupported(s.rc.SetWriteDeadline(time.Now().Add(s.options.WriteTimeout))); err != nil {
		return err
	}
	if _, err := s.w.Write(s.buf); err != nil {
		return err
	}
	if err := s.rc.Flush(); err != nil {
		return err
	}
	return ignoreUnsupported(s.rc.SetWriteDeadline(time.Time{}))
}

// write sends buf, and ends the stream if that fails.
func (s *Stream) write() error {
	err := s.flush()
	if err == nil {
		if s.timer != nil {
			s.timer.Reset(s.options.Heartbeat)
		}
		return nil
	}
	s.finish()
	s.lost = fmt.Errorf("%w: %w", errDisconnected, err)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.lost = ErrSlow
	}
	s.lose(s.lost)
	return s.lost
}

// run serves the stream.
func (s *Stream) run(handle func(context.Context, *Stream) error) error {
	if err := s.begin(); err != nil {
		return err
	}
	if s.options.Heartbeat > 0 {
		s.lock()
		s.timer = time.AfterFunc(s.options.Heartbeat, s.beat)
		s.unlock()
	}
	ended := make(chan struct{})
	unhook := context.AfterFunc(s.ctx, func() {
		defer close(ended)
		s.end(context.Cause(s.ctx))
	})
	var err error
	defer func() { // also if handle panics: nothing may write after Serve has returned
		if unhook() {
			s.lose(errDone)
			s.end(err) // the handler may have noticed the session's end first
		} else {
			<-ended
		}
	}()
	err = handle(s.ctx, s)
	cause := context.Cause(s.ctx)
	if cause == nil {
		return err
	}
	if errors.Is(cause, context.Canceled) {
		// The client has disconnected. If a write has failed, the server has ended the
		// request's context before write could.
		s.lock()
		cause = s.lost
		s.unlock()
	}
	if errors.Is(cause, errDisconnected) {
		return nil
	}
	return cause
}

// beat sends a comment, so that the connection does not seem idle.
func (s *Stream) beat() {
	s.lock()
	defer s.unlock()
	if s.ctx.Err() == nil {
		s.buf = append(s.buf[:0], ":\n\n"...)
		_ = s.write() // ends the stream if it fails
	}
}

// end sends the last event if the session has ended, and lets nothing be sent after it.
func (s *Stream) end(cause error) {
	s.lock()
	defer s.unlock()
	if s.over {
		return
	}
	if errors.Is(cause, session.ErrRevoked) {
		last := Event{Name: EndEvent, Data: ReasonLoggedOut}
		if errors.Is(cause, session.ErrExpired) {
			last.Data = ReasonExpired
		}
		s.buf = last.append(s.buf[:0])
		_ = s.write() // a client that has disconnected needs no reason
	}
	s.finish()
}

func (s *Stream) finish() {
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
