package cli

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/web"
)

// site is the server's pages: one app; or one for requests over HTTPS, whose cookie's name requires
// HTTPS, and another for the other requests. A cookie that was set over plain HTTP then has no
// effect over HTTPS.
type site struct {
	secure, plain *web.App // the same one, if there is one
	proxies       client.Proxies
	path          string   // of the cookie
	cookies       []string // their names
	untrusted     *untrusted
}

// ServeHTTP answers a request.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.untrusted.look(r)
	app := s.appFor(r)
	if s.path == "/" || r.URL.Path == "/healthz" {
		app.ServeHTTP(w, r)
		return
	}
	prefix := strings.TrimSuffix(s.path, "/")
	if rest, below := strings.CutPrefix(r.URL.Path, prefix); below && (rest == "" || rest[0] == '/') {
		if rest == "" {
			r = withPath(r, "/")
		} else {
			r = withPath(r, rest)
		}
		app.ServeHTTP(w, r)
		return
	}
	// Links and forms of the pages lead to the root, where the cookie is not sent.
	target := *r.URL
	target.Path = prefix + target.Path
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", target.RequestURI())
	w.WriteHeader(http.StatusTemporaryRedirect) // the same method and body again
}

func (s *site) appFor(r *http.Request) *web.App {
	if s.proxies.Secure(r) {
		return s.secure
	}
	return s.plain
}

// withPath returns the request for another path. RequestURI stays as it was, because the session's
// cookie depends on it.
func withPath(r *http.Request, path string) *http.Request {
	u := *r.URL
	u.Path, u.RawPath = path, ""
	other := *r
	other.URL = &u
	return &other
}

// EndStreams ends the streams of open pages.
func (s *site) EndStreams() {
	for _, app := range s.apps() {
		app.EndStreams()
	}
}

// Close closes the apps.
func (s *site) Close() error {
	var errs []error
	for _, app := range s.apps() {
		errs = append(errs, app.Close())
	}
	return errors.Join(errs...)
}

func (s *site) apps() []*web.App {
	if s.secure == s.plain {
		return []*web.App{s.plain}
	}
	return []*web.App{s.plain, s.secure}
}

// maxUntrusted limits for how many addresses there are warnings, since anybody can send these
// fields.
const maxUntrusted = 8

// untrusted warns, once for each address, of a client that looks like a proxy and was not named as
// one.
type untrusted struct {
	proxies client.Proxies
	log     *slog.Logger

	mu     sync.Mutex
	warned map[netip.Addr]bool
}

func (u *untrusted) look(r *http.Request) {
	from, field := u.proxies.Disbelieved(r)
	if field == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.warned[from] || len(u.warned) == maxUntrusted {
		return
	}
	if u.warned == nil {
		u.warned = map[netip.Addr]bool{}
	}
	u.warned[from] = true
	u.log.WarnContext(r.Context(), "a request has "+field+" from an address that is not trusted, and it is ignored: if this is your proxy, "+
		"name it with --trusted-proxy; until then cookies are not Secure, and all clients behind the proxy share one limit of login attempts",
		slog.Any("from", from))
}
