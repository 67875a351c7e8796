package session

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/records"
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

	// Data is a copy of the session's data; the zero value if Undecodable or Sealed is true.
	Data T

	// Undecodable reports that the stored data do not fit T. The client gets a new session
	// at its next visit.
	Undecodable bool

	// Sealed reports that the data are stored sealed, so that only a request with the
	// session's cookie can read them; see Config.Seal. All other fields are as usual.
	Sealed bool

	Created  time.Time // zero if not stored; see [Session.Created]
	LastUsed time.Time // as precise as Config.StoreLimits.TouchInterval; zero if unknown
	Device   Device    // as far as Config.Devices keeps it
	Expires  time.Time // if it is not used again; zero: never

	AuthenticatedAt time.Time // see [Session.AuthenticatedAt]
	AuthenticatedBy []string  // see [Session.AuthenticatedBy]

	key     string
	version store.Version
	notes   document.Notes
}

// Note is [Session.Note] of the session in the list.
func (i Info[T]) Note(name string) string { return i.notes.Get(name) }

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
// Config.StoreLimits.LoadTimeout to find each next session; [errors.ErrUnsupported] if the store is not
// a [store.Lister].
func (m *Manager[T]) List(ctx context.Context, owner string) iter.Seq2[Info[T], error] {
	return m.infos(m.records.List(ctx, owner))
}

// ListAll yields the live sessions of all owners, and those without an owner, as
// [Manager.List] does for one. It is for operators and exports, not for the users' pages.
func (m *Manager[T]) ListAll(ctx context.Context) iter.Seq2[Info[T], error] {
	return m.infos(m.records.ListAll(ctx))
}

func (m *Manager[T]) infos(sessions iter.Seq2[records.Listed, error]) iter.Seq2[Info[T], error] {
	return func(yield func(Info[T], error) bool) {
		for l, err := range sessions {
			if err != nil {
				yield(Info[T]{}, err)
				return
			}
			if !yield(m.describe(&l), nil) {
				return
			}
		}
	}
}

// describe returns the Info of a session.
func (m *Manager[T]) describe(l *records.Listed) Info[T] {
	info := Info[T]{Owner: l.Owner, Digest: m.ids.Digest(l.Key), Expires: l.Rec.Expires, key: l.Key, version: l.Rec.Version}
	at := typed[T](l.Found)
	info.Sealed = at.doc != nil && at.doc.Locked() != nil
	if at.doc == nil || info.Sealed && !m.codec.Seal.OpensData() || !info.Sealed && m.codec.Copy(at.doc, &info.Data) != nil {
		info.Undecodable = true
		return info
	}
	var s Session[T]
	s.m = m
	s.useCookie(&m.cookie)
	s.adopt(at)
	if info.notes = at.doc.Meta.Notes; at.doc.Meta.Created != 0 {
		info.Created = s.created.Time()
	}
	info.LastUsed, info.Expires, info.Device = s.lastUsed().Time(), s.expires.Time(), s.Device()
	info.AuthenticatedAt, info.AuthenticatedBy = s.AuthenticatedAt(), s.AuthenticatedBy()
	return info
}
