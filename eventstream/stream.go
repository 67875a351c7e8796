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
	errGone = errors.New("eventstream: the client has left")
	errOver = errors.New("eventstream: the stream is over")
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

	turn  chan struct{} // holds a token while the response is written to; what follows is its holder's
	over  bool          // it is not to be written to any more
	lost  error         // why writing has failed
	buf   []byte
	timer *time.Timer // of the heartbeat; nil: none
}

func (s *Stream) lock()   { s.turn <- struct{}{} }
func (s *Stream) unlock() { <-s.turn }

// LastID returns the ID of the last event that the browser got before the connection
// broke, so that the handler can send what it missed; "" at the first connection. It is
// the client's word (the header Last-Event-ID), and can be anything.
func (s *Stream) LastID() string { return s.lastID }

// Send sends an event now, and waits until there is room for it on the way to the
// client, for Options.WriteTimeout at the most. When the session has ended it sends
// nothing.
//
// Errors: [ErrField], after which the stream goes on; else the stream is over, and the
// error is the cause of its end, see [Serve].
func (s *Stream) Send(e Event) error {
	if err := e.check(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer s.unlock()
	case <-s.ctx.Done(): // another event is under way
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	s.buf = e.append(s.buf[:0])
	return s.write()
}

// begin sends the header, and with it a first line: some proxies pass nothing on before.
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

// known lets a response pass that has no deadlines, as those of tests.
func known(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// flush sends what is in buf. Between two writes there is no deadline: with HTTP/2, one
// that passes resets the stream though nobody writes.
func (s *Stream) flush() error {
	if err := known(s.rc.SetWriteDeadline(time.Now().Add(s.options.WriteTimeout))); err != nil {
		return err
	}
	if _, err := s.w.Write(s.buf); err != nil {
		return err
	}
	if err := s.rc.Flush(); err != nil {
		return err
	}
	return known(s.rc.SetWriteDeadline(time.Time{}))
}

// write sends what is in buf, and ends the stream if that fails.
func (s *Stream) write() error {
	err := s.flush()
	if err == nil {
		if s.timer != nil {
			s.timer.Reset(s.options.Heartbeat)
		}
		return nil
	}
	s.finish()
	s.lost = fmt.Errorf("%w: %w", errGone, err)
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
	defer func() { // if handle panics as well: nobody else may write when Serve has returned
		if unhook() {
			s.lose(errOver)
			s.end(err) // perhaps the handler has found out first
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
		// The client has left. If that came of a write, the server has ended the request's
		// context first.
		s.lock()
		cause = s.lost
		s.unlock()
	}
	if errors.Is(cause, errGone) {
		return nil
	}
	return cause
}

// beat lets the connection not seem idle.
func (s *Stream) beat() {
	s.lock()
	defer s.unlock()
	if s.ctx.Err() == nil {
		s.buf = append(s.buf[:0], ":\n\n"...)
		_ = s.write() // ends the stream if it fails
	}
}

// end sends the last event, if the stream is over because the session is, and lets
// nothing be sent after it.
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
		_ = s.write() // who is not there need not be told
	}
	s.finish()
}

func (s *Stream) finish() {
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
