package web

import (
	"fmt"
	"net/http"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// retrySession is what Retry-After says where sessions or users do not answer.
const retrySession = 5 * time.Second

// policy lets a page load our own style sheet and icon, send forms to us, and
// nothing else: no script runs, and no other site can frame a page.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// livePolicy is that of a page with a Live: it runs our own script, which may ask nobody
// but us, and may not make HTML out of text.
const livePolicy = policy + "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// strictTransport keeps a browser from plain HTTP for a year (RFC 6797; ASVS 3.4.1). Other
// hosts of the domain are not this server's to decide for.
const strictTransport = "max-age=31536000"

// protect sets the header fields that every response has, and refuses what another
// site makes a browser send (cross-site request forgery).
func (a *App) protect(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := text.For(r.Header)
		a.writeProblem(w, r, &problem{Status: http.StatusForbidden, Text: t.OtherSite}, view{Title: t.RefusedPage, Links: toStart(t)})
	}))
	inner := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		if a.proxies.Secure(r) {
			h.Set("Strict-Transport-Security", strictTransport)
		}
		h.Set("X-Content-Type-Options", "nosniff")
		// Not no-referrer: browsers would then send "Origin: null" with our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Whatever is not an asset may hold what is private, or say whether somebody is
		// logged in: no cache keeps it, the browser's included (ASVS 14.3.2).
		h.Set("Cache-Control", "no-store")
		h.Add("Vary", "Accept, Accept-Language, Cookie")
		inner.ServeHTTP(w, r)
	})
}

// explainMisses words the mux's 404 and 405 as every other problem.
func (a *App) explainMisses(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := &discard{header: http.Header{}}
		h.ServeHTTP(answer, r)
		t := text.For(r.Header)
		p := &problem{Status: answer.status, Text: t.NotFound}
		if answer.status < http.StatusBadRequest {
			// The mux would send on to a cleaner path, at which there is nothing either.
			p.Status = http.StatusNotFound
		}
		if allow := answer.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			p.Text = fmt.Sprintf(t.WrongMethod, allow, r.Method)
		}
		a.writeProblem(w, r, p, view{Title: t.NotFoundPage, Links: toStart(t)})
	})
}

// discard keeps the head of a response.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
