package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// Info describes a session in a list, for its user or for an operator. It holds no id.
// Printing it shows neither the data nor the session's key in the store.
type Info[T any] struct {
	Owner string

	// Digest is a short name for the session, as in [Event]. [Session.Digest] returns it
	// for a request's session. It is safe to show to the owner, who sends it back for
	// [Manager.RevokeSession].
	Digest string

	// Data is a copy of the session's data; the zero value if Undecodable is true.
	Data T

	// Undecodable reports that the stored data do not fit T. The client gets a new session
	// at its next visit.
	Undecodable bool

	Created  time.Time // zero if not stored; see [Session.Created]
	LastUsed time.Time // as precise as Config.TouchInterval; zero if unknown
	Expires  time.Time // if it is not used again; zero: never

	key     string
	version store.Version
}

// Format prints the owner and the digest, for every verb.
func (i Info[T]) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "session %s of %q", i.Digest, i.Owner)
}

// LogValue is Format for log/slog.
func (i Info[T]) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session", i.Digest), slog.String("owner", i.Owner))
}

// OwnerOf returns the owner in a stored document: "" if it has none or is not a document.
// Stores whose table or keys other programs also write take it in their Config, because
// those programs keep the document's members but do not write the owner anywhere else.
//
// OwnerOf trusts the document, which is enough for an index. A manager trusts only what it
// has sealed itself.
func OwnerOf(data []byte) string { return document.OwnerOf(data) }

// List yields the live sessions of an owner, in no particular order (ASVS 7.5.2). It does
// not hold all of them in memory. For the sessions of all owners see [Manager.ListAll].
//
// It yields an error last: [ErrNoOwner] if owner is ""; the store's, which has
// Config.LoadTimeout to find each next session; [errors.ErrUnsupported] if the store is not
// a [store.Lister].
func (m *Manager[T]) List(ctx context.Context, owner string) iter.Seq2[Info[T], error] {
	if owner == "" {
		return func(yield func(Info[T], error) bool) { yield(Info[T]{}, ErrNoOwner) }
	}
	return m.list(ctx, owner)
}

// ListAll yields the live sessions of all owners, and those without an owner, as
// [Manager.List] does for one. It is for operators and exports, not for the users' pages.
func (m *Manager[T]) ListAll(ctx context.Context) iter.Seq2[Info[T], error] { return m.list(ctx, "") }

func (m *Manager[T]) list(ctx context.Context, owner string) iter.Seq2[Info[T], error] {
	return func(yield func(Info[T], error) bool) {
		for rec, err := range m.records(ctx, owner) {
			if err != nil {
				yield(Info[T]{}, err)
				return
			}
			if l := m.read(rec); l.live && (owner == "" || l.owner == owner) && !yield(m.describe(&l), nil) {
				return
			}
		}
	}
}

// records yields what the store lists, and limits the time that the store takes for each
// record.
func (m *Manager[T]) records(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		l, ok := store.As[store.Lister](m.store)
		if !ok {
			yield(store.Record{}, fmt.Errorf("session: listing: %T does not list: %w", m.store, errors.ErrUnsupported))
			return
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(m.loadTimeout, func() { cancel(context.DeadlineExceeded) })
		defer timer.Stop()
		for rec, err := range l.List(ctx, owner) {
			timer.Stop() // the caller may take longer with each record
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = fmt.Errorf("%w: %w", cause, err)
			}
			if err != nil {
				yield(store.Record{}, &storeError{fmt.Errorf("listing: %w", err)})
				return
			}
			if !yield(rec, nil) {
				return
			}
			timer.Reset(m.loadTimeout)
		}
	}
}

// listed is a record that was found by its owner, not by a client's id.
type listed[T any] struct {
	loaded[T]        // doc is nil if it cannot be decoded
	owner     string // an index may list a session that has another owner by now
	live      bool   // the record is a live session
	successor string // set if the record is what Renew left under the old id
}

// read reads a record. A session that cannot be decoded is of no use to anybody, but it is
// listed with what the record says.
func (m *Manager[T]) read(rec store.Record) listed[T] {
	l := listed[T]{loaded: loaded[T]{rec: rec, key: rec.ID}}
	doc, err := m.codec.Read(rec.ID, rec.Data)
	if err != nil {
		l.owner, l.live = rec.Owner, true
		return l
	}
	l.doc, l.owner = doc, m.ownerOf(&rec, &doc.Meta)
	switch info := &doc.Meta; {
	case info.Ended, info.Login:
	case info.Successor != "":
		l.successor = info.Successor
	default:
		l.live = !m.over(info.Created)
	}
	return l
}

// describe returns the Info of a session.
func (m *Manager[T]) describe(l *listed[T]) Info[T] {
	info := Info[T]{Owner: l.owner, Digest: m.digest(l.key), Expires: l.rec.Expires, key: l.key, version: l.rec.Version}
	if l.doc == nil || m.codec.Copy(l.doc, &info.Data) != nil {
		info.Undecodable = true
		return info
	}
	var s Session[T]
	s.m = m
	s.useCookie(&m.cookie)
	s.adopt(l.loaded)
	if l.doc.Meta.Created != 0 {
		info.Created = s.created.Time()
	}
	info.LastUsed, info.Expires = s.lastUsed().Time(), s.expires.Time()
	return info
}
