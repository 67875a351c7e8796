package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// retrySession is the value of Retry-After if sessions or users do not answer.
const retrySession = 5 * time.Second

// policy allows a page to load our own style sheet and icon, to send forms to us, and nothing else:
// no script runs, and no other site can frame a page.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// policyLeadingTo is policy for a form that leads to another origin in the end: browsers apply
// form-action to redirects too.
func policyLeadingTo(origin string) string {
	return strings.Replace(policy, "form-action 'self'", "form-action 'self' "+origin, 1)
}

// livePolicy is for a page with a Live: it runs our own script, which may connect only to us, and
// may not make HTML from text.
const livePolicy = policy + "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// strictTransport keeps a browser from plain HTTP for a year (RFC 6797; ASVS 3.4.1). It is not for
// this server to decide for other hosts of the domain.
const strictTransport = "max-age=31536000"

// protect sets the header fields that every response has, and refuses requests that another site
// makes a browser send (cross-site request forgery).
func (a *App) protect(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := text.For(r.Header)
		a.writeProblem(w, r, &problem{Status: http.StatusForbidden, Text: t.OtherSite}, view{Title: t.RefusedPage, Links: toStart(t)})
	}))
	origins.AddInsecureBypassPattern(authURL) // the request about which a proxy asks is the application's to judge
	inner := origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setProtection(w, r)
		inner.ServeHTTP(w, r)
	})
}

func (a *App) setProtection(w http.ResponseWriter, r *http.Request) {
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
	// Any response except an asset may be private, or show whether a user is logged in: no
	// cache keeps it, including the browser's (ASVS 14.3.2).
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept, Accept-Language, Cookie")
}

// explainMisses answers the mux's 404 and 405 as other problems are answered.
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
			// The mux would redirect to a cleaner path, which does not exist either.
			p.Status = http.StatusNotFound
		}
		if allow := answer.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			p.Text = fmt.Sprintf(t.WrongMethod, allow, r.Method)
		}
		a.writeProblem(w, r, p, view{Title: t.NotFoundPage, Links: toStart(t)})
	})
}

// discard keeps only the header of a response.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
