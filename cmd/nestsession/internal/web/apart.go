package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/store"
)

// ownMembers are those of a stored document that are no other application's.
var ownMembers = map[string]bool{"cookie": true, "__nestsession": true, "nestsession": true}

// hasForeign reports whether another application keeps something in a session.
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

// loadedKey is where the context of a request holds the document of its session.
type loadedKey struct{}

// noteLoads lets requests look at the document that their session was read from: the
// session's own data leave out what this server does not know.
func noteLoads(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), loadedKey{}, new([]byte))))
	})
}

// Load is the store's.
func (n *noting) Load(ctx context.Context, id string) (store.Record, error) {
	rec, err := n.Store.Load(ctx, id)
	if document, ok := ctx.Value(loadedKey{}).(*[]byte); ok && err == nil {
		*document = rec.Data
	}
	return rec, err
}

// leave logs the session out: it ends, unless other applications keep something in it,
// which is then all that stays.
func (a *App) leave(ctx context.Context, s *Session) error {
	document, _ := ctx.Value(loadedKey{}).(*[]byte)
	if a.sharing != UsersApart || document == nil || !hasForeign(*document) {
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

// end logs out one session of a listing, which document is of.
func (a *App) end(ctx context.Context, info session.Info[Account], rec store.Record) error {
	if a.sharing != UsersApart || !hasForeign(rec.Data) {
		return a.sessions.Revoke(ctx, info)
	}
	s, err := a.sessions.Open(a.visitor.request(ctx, rec.ID))
	if err != nil {
		return err
	}
	if s.Owner() != info.Owner {
		return nil // it has ended, or is somebody else's now
	}
	return a.release(ctx, s)
}

// maxPasses bounds how often sessions are looked for that began meanwhile.
const maxPasses = 8

// endOthers logs out the sessions of an owner but one, and returns how many.
func (a *App) endOthers(ctx context.Context, owner string, keep *Session) (ended int, err error) {
	if a.sharing != UsersApart {
		return a.sessions.RevokeOwner(ctx, owner, keep)
	}
	for range maxPasses {
		found := 0
		noted, listing := note(ctx)
		for info, err := range a.sessions.List(listing, owner) {
			if err != nil {
				return ended, err
			}
			if info.Digest == keep.Digest() {
				continue
			}
			if err := a.end(ctx, info, *noted); err != nil {
				return ended, err
			}
			found++
		}
		if ended += found; found == 0 {
			break
		}
	}
	return ended, nil
}

// loggedOut says why a stream is over whose session lives on for other applications.
func (a *App) loggedOut(ctx context.Context, s *Session) error {
	if a.sharing != UsersApart {
		return nil // the session ends then
	}
	if err := s.Reload(ctx); err != nil {
		return nil // the stream is told, if it has ended
	}
	if a.userOf(s) == nil {
		return session.ErrRevoked
	}
	return nil
}

// visitor opens sessions of a listing as their visitors do: a store that is shared with
// other applications keeps the ids of the cookies.
type visitor struct {
	signer     *cookie.Signer
	name, path string
}

func newVisitor(cfg session.Config) (*visitor, error) {
	if !cfg.Express.InsecurePlainIDs || cfg.Name == "" {
		return nil, fmt.Errorf("web: UsersApart is for a configuration of package express")
	}
	signer, err := cookie.NewSigner(cfg.Secrets...)
	if err != nil {
		return nil, err
	}
	v := &visitor{signer: signer, name: cfg.Name, path: cfg.Cookie.Path}
	if v.path == "" {
		v.path = "/"
	}
	return v, nil
}

// request is one with the cookie of the session that is kept under id.
func (v *visitor) request(ctx context.Context, id string) *http.Request {
	r := (&http.Request{Method: http.MethodGet, RequestURI: v.path, Header: http.Header{}}).WithContext(ctx)
	r.Header.Set("Cookie", v.name+"="+string(v.signer.AppendValue(nil, id)))
	return r
}
