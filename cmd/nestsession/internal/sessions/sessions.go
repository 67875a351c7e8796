// Package sessions shows the sessions in a store as an operator sees them: without
// the application that they are of, and without its secrets.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// Session is one of a listing. What prints it shows neither key nor data.
type Session struct {
	session.Info[map[string]any]
	record *store.Record
}

// Key is what the store keeps the session under: a hash of the id in the cookie, or
// in the layouts of express-session the id itself, which is a credential.
func (s Session) Key() string { return s.record.ID }

// Document is the session as it is stored, cookie and bookkeeping included.
func (s Session) Document() []byte { return s.record.Data }

// View is the sessions in one store. It is safe for concurrent use.
type View struct {
	store  store.Store
	config session.Config
	whole  *session.Manager[map[string]any]

	asked sync.Mutex
	lone  *lone
	namer *session.Manager[struct{}] // of lone
}

// withoutSecrets keys the digests where the secrets are not known. It protects
// nothing: what a digest is made of cannot be guessed.
const withoutSecrets = "nestsession: digests without the secrets"

// New returns a view. secrets are those of the servers, so that the digests are those
// of their logs; without any, digests are of the view's own, the same each time. plain
// says that the store keeps the ids of the cookies rather than hashes of them.
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
			Rules:                plain, // so that an end leaves nothing that express-session would take for a session
			// The lifetime of each session is what it says itself: the servers' settings
			// are not known here.
			KeepCookie: true,
		},
		IdleTimeout:     session.NoTimeout,
		AbsoluteTimeout: session.NoTimeout,
		Logger:          slog.New(slog.DiscardHandler),
	}}
	var errs [2]error
	v.whole, errs[0] = session.New[map[string]any](v.config)
	v.lone = &lone{}
	cfg := v.config
	cfg.Store = v.lone
	v.namer, errs[1] = session.New[struct{}](cfg)
	return v, errors.Join(errs[:]...)
}

// All yields the live sessions of an owner, or with owner "" all, in no particular
// order, without holding them all in memory. An error is yielded last.
func (v *View) All(ctx context.Context, owner string) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		over := &tee{Store: v.store, owner: owner}
		cfg := v.config
		cfg.Store = over
		m, err := session.New[map[string]any](cfg)
		if err != nil {
			yield(Session{}, err)
			return
		}
		for info, err := range m.ListAll(ctx) {
			if err != nil {
				yield(Session{}, err)
				return
			}
			s, is := v.complete(Session{info, over.latest})
			// An index may name a session that has changed hands since.
			if is && (owner == "" || s.Owner == owner) && !yield(s, nil) {
				return
			}
		}
	}
}

// Digest stands for the session that is kept under key, as in a listing.
func (v *View) Digest(key string) string {
	v.asked.Lock()
	defer v.asked.Unlock()
	v.lone.record.ID = key
	for info := range v.namer.ListAll(context.Background()) {
		return info.Digest
	}
	return ""
}

// Revoke ends one session of All, wherever it is in use.
func (v *View) Revoke(ctx context.Context, s Session) error { return v.whole.Revoke(ctx, s.Info) }

// passes bounds how often sessions are looked for that were renewed meanwhile.
const passes = 8

// RevokeAll ends all sessions of an owner, or with owner "" those of everybody, those
// included that are renewed at the same time, and returns how many.
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

// tee lists the sessions of an owner, and remembers the record that it has come to.
type tee struct {
	store.Store
	owner  string
	latest *store.Record
}

// Unwrap shows what else the store can do.
func (t *tee) Unwrap() store.Store { return t.Store }

// List is the store's, of the owner.
func (t *tee) List(ctx context.Context, _ string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		l, ok := store.As[store.Lister](t.Store)
		if !ok {
			yield(store.Record{}, fmt.Errorf("%T: %w", t.Store, errors.ErrUnsupported))
			return
		}
		for rec, err := range l.List(ctx, t.owner) {
			t.latest = &rec
			if !yield(rec, err) {
				return
			}
		}
	}
}

// lone is a store with one record, of which a manager tells the digest.
type lone struct {
	store.Store
	record store.Record
}

// List yields the record.
func (l *lone) List(context.Context, string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) { yield(l.record, nil) }
}
