// Package sessions shows an operator the sessions in a store, without the application's
// configuration and secrets.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// Session is a session in a list. Printing it shows neither its key nor its data.
type Session struct {
	session.Info[map[string]any]
	record *store.Record
}

// Key is the session's key in the store: a hash of the id in the cookie; or, in the layouts of
// express-session, the id itself, which is a credential.
func (s Session) Key() string { return s.record.ID }

// Document is the session as it is stored, cookie and bookkeeping included.
func (s Session) Document() []byte { return s.record.Data }

// View is the sessions in one store. It is safe for concurrent use.
type View struct {
	store  store.Store
	config session.Config
	whole  *session.Manager[map[string]any]

	mu        sync.Mutex // of current
	current   *oneRecord
	describer *session.Manager[map[string]any] // on current
}

// withoutSecrets is the key of the digests if the secrets are not known. It protects nothing: the
// ids behind the digests cannot be guessed.
const withoutSecrets = "nestsession: digests without the secrets"

// New returns a view. secrets are those of the servers; with them the digests are those in the
// servers' logs. Without secrets the digests are the view's own, the same each time. plain says
// that the keys in the store are the ids in the cookies, and not their hashes.
func New(s store.Store, secrets []string, plain bool) (*View, error) {
	if len(secrets) == 0 {
		secrets = []string{withoutSecrets}
	}
	v := &View{store: s, config: session.Config{
		Secrets: secrets,
		Store:   s,
		Express: session.ExpressOptions{
			InsecureShortSecrets: true,
			InsecurePlainIDs:     plain,
			Rules:                plain, // so that a session that ends leaves no record that express-session would take for a session
			// Each session says itself how long it lives, since the servers' settings are not known
			// here.
			KeepCookie: true,
		},
		IdleTimeout:     session.NoTimeout,
		AbsoluteTimeout: session.NoTimeout,
		Logger:          slog.New(slog.DiscardHandler),
	}}
	var errs [2]error
	v.whole, errs[0] = session.New[map[string]any](v.config)
	v.current = &oneRecord{}
	cfg := v.config
	cfg.Store = v.current
	v.describer, errs[1] = session.New[map[string]any](cfg)
	return v, errors.Join(errs[:]...)
}

// All yields the live sessions of an owner, or with owner "" all, in no particular order. It does
// not hold them all in memory. An error is yielded last.
func (v *View) All(ctx context.Context, owner string) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		lister, ok := store.As[store.Lister](v.store)
		if !ok {
			yield(Session{}, fmt.Errorf("%T: %w", v.store, errors.ErrUnsupported))
			return
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stalled := time.AfterFunc(session.DefaultLoadTimeout, func() { cancel(context.DeadlineExceeded) })
		defer stalled.Stop()
		for rec, err := range lister.List(ctx, owner) {
			stalled.Stop() // the caller may take longer for a session
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = fmt.Errorf("%w: %w", cause, err)
			}
			if err != nil {
				yield(Session{}, fmt.Errorf("listing: %w", err))
				return
			}
			if info, live := v.describe(rec); live {
				s, is := v.complete(Session{info, &rec})
				// The store's index may name a session that has another owner since.
				if is && (owner == "" || s.Owner == owner) && !yield(s, nil) {
					return
				}
			}
			stalled.Reset(session.DefaultLoadTimeout)
		}
	}
}

// Digest returns the digest of the session with this key, as in a list.
func (v *View) Digest(key string) string {
	info, _ := v.describe(store.Record{ID: key})
	return info.Digest
}

// describe returns what a manager says about a record. It reports false if the record is no live
// session.
func (v *View) describe(rec store.Record) (info session.Info[map[string]any], live bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.current.record = rec
	for info := range v.describer.ListAll(context.Background()) {
		return info, true
	}
	return info, false
}

// Revoke ends one session of All, wherever it is in use.
func (v *View) Revoke(ctx context.Context, s Session) error { return v.whole.Revoke(ctx, s.Info) }

// passes limits how often RevokeAll looks for sessions that were renewed meanwhile.
const passes = 8

// RevokeAll ends all sessions of an owner, or with owner "" those of all owners, including those
// that are renewed at the same time, and returns how many.
func (v *View) RevokeAll(ctx context.Context, owner string) (n int, err error) {
	for range passes {
		before := n
		for s, err := range v.All(ctx, owner) {
			if err != nil {
				return n, err
			}
			if err := v.Revoke(ctx, s); err != nil {
				return n, err
			}
			n++
		}
		if n == before {
			break
		}
	}
	return n, nil
}

// oneRecord is a store with one record. A manager on it verifies the seal of the record and
// computes its digest. It exists because [session.Info] has neither the key nor the stored
// text, which operators ask for (list --ids, show, move --verbose, cookie inspect), and no
// function of package session describes a record that its caller has.
type oneRecord struct {
	store.Store
	record store.Record
}

// List yields the record.
func (o *oneRecord) List(context.Context, string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) { yield(o.record, nil) }
}
