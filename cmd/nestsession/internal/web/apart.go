package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/store"
)

// ownMembers are the members of a stored document that belong to no other application.
var ownMembers = map[string]bool{"cookie": true, "__nestsession": true, "nestsession": true}

// hasForeign reports whether another application has data in a session.
func hasForeign(document []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(document, &members) != nil {
		return len(document) > 0
	}
	for name := range members {
		if !ownMembers[name] {
			return true
		}
	}
	return false
}

// leave logs the session out: the session ends, unless other applications have data in it, which
// then remain.
func (a *App) leave(ctx context.Context, s *Session) error {
	if a.sharing != UsersApart || s.IsNew() {
		return s.Destroy(ctx)
	}
	foreign, err := a.shared.foreign(ctx, s)
	if err != nil {
		return err
	}
	if !foreign {
		return s.Destroy(ctx)
	}
	return a.release(ctx, s)
}

func (a *App) release(ctx context.Context, s *Session) error {
	owner := s.Owner()
	s.Update(func(d *Account) { d.Own = Own{} })
	s.SetOwner("")
	if err := s.Save(ctx); err != nil {
		return err
	}
	a.live.changed(owner)
	return nil
}

// end logs out one session of a listing.
func (a *App) end(ctx context.Context, info session.Info[Account]) error {
	if a.sharing != UsersApart {
		return a.sessions.Revoke(ctx, info)
	}
	_, err := a.endShared(ctx, info.Owner, func(s *Session) bool { return s.Digest() == info.Digest })
	return err
}

// maxPasses limits how often endOthers looks for sessions that began meanwhile.
const maxPasses = 8

// endOthers logs out the sessions of an owner but one, and returns how many.
func (a *App) endOthers(ctx context.Context, owner string, keep *Session) (ended int, err error) {
	if a.sharing != UsersApart {
		return a.sessions.RevokeOwner(ctx, owner, keep)
	}
	for range maxPasses {
		n, err := a.endShared(ctx, owner, func(s *Session) bool { return s.Digest() != keep.Digest() })
		if ended += n; err != nil || n == 0 {
			return ended, err
		}
	}
	return ended, nil
}

// endShared logs out the chosen sessions of an owner, and returns how many.
func (a *App) endShared(ctx context.Context, owner string, chosen func(*Session) bool) (ended int, err error) {
	ids, err := a.shared.ids(ctx, owner)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		s, err := a.sessions.Open(a.shared.request(ctx, id))
		if err != nil {
			return ended, err
		}
		// An old id leads to the session's new one, which is in the list as well; and the session
		// may have ended or got another owner since it was listed.
		if s.Owner() != owner || s.ID() != id || !chosen(s) {
			continue
		}
		if err := a.leave(ctx, s); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// loggedOut returns the reason why a stream ends although its session lives on for other
// applications.
func (a *App) loggedOut(ctx context.Context, s *Session) error {
	if a.sharing != UsersApart {
		return nil // the session ends then
	}
	if err := s.Reload(ctx); err != nil {
		return nil // if it has ended, the stream is notified
	}
	if a.userOf(s) == nil {
		return session.ErrRevoked
	}
	return nil
}

// shared is the store of sessions that other applications use as well. Its keys are the ids in the
// cookies.
type shared struct {
	store      store.Store
	signer     *cookie.Signer
	name, path string // of the cookie
}

func newShared(cfg session.Config) (*shared, error) {
	if !cfg.Express.InsecurePlainIDs || cfg.Name == "" {
		return nil, fmt.Errorf("web: UsersApart needs a configuration of package express")
	}
	signer, err := cookie.NewSigner(cfg.Secrets...)
	if err != nil {
		return nil, err
	}
	return &shared{store: cfg.Store, signer: signer, name: cfg.Name, path: cmp.Or(cfg.Cookie.Path, "/")}, nil
}

// foreign reports whether another application has data in a session. The session's own data do not
// show that, because they leave out what this server does not know.
func (h *shared) foreign(ctx context.Context, s *Session) (bool, error) {
	rec, err := h.store.Load(ctx, s.ID())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && hasForeign(rec.Data), err
}

// ids returns the ids of the records of an owner.
func (h *shared) ids(ctx context.Context, owner string) (ids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	lister, ok := store.As[store.Lister](h.store)
	if !ok {
		return nil, fmt.Errorf("%T: %w", h.store, errors.ErrUnsupported)
	}
	for rec, err := range lister.List(ctx, owner) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, rec.ID)
	}
	return ids, nil
}

// request returns a request of a browser that has the session of an id.
func (h *shared) request(ctx context.Context, id string) *http.Request {
	r := (&http.Request{Method: http.MethodGet, RequestURI: h.path, Header: http.Header{}}).WithContext(ctx)
	r.Header.Set("Cookie", h.name+"="+string(h.signer.AppendValue(nil, id)))
	return r
}
