package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// The headers by which a proxy tells the application who the user is. A proxy that uses them must
// not pass on those that a client has sent: examples/gateway shows how.
const (
	headerUser    = "Remote-User"            // the name, percent-encoded where it is not ASCII
	headerUserID  = "Remote-User-Id"         // the number of the account, which does not change
	headerSession = "Remote-Session"         // the digest, which also stands in logs
	headerExpires = "Remote-Session-Expires" // RFC 3339
)

// authURL is what a proxy asks before it passes a request on. With the query "redirect", a browser
// that goes to a page is sent to the login.
const authURL = "/auth"

// auth tells a proxy whether a request may pass, and whose it is. It takes any method, because some
// proxies ask with that of the request. It changes nothing but the session's last use.
func (a *App) auth(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		about := a.proxies.Original(r)
		about.URL = a.wayBack(about.URL)
		a.refuseVisitor(w, r, about, r.URL.Query().Has("redirect"))
		return
	}
	identify(w.Header(), u, s)
	w.WriteHeader(http.StatusOK)
}

// refuseVisitor answers a request of nobody who is logged in: with 401, or if redirect is set and a
// browser goes to a page, by sending it to the login. about is the request for the application; the
// login leads back to its URL if there is one.
func (a *App) refuseVisitor(w http.ResponseWriter, r *http.Request, about client.Original, redirect bool) {
	t := text.For(r.Header)
	p := notLoggedIn(t)
	if !redirect || !isPage(r) {
		// Never a page: its form would send the password to the application.
		p.writeHead(w.Header())
		a.writeBody(w, r, p.Status, "application/problem+json", p)
		return
	}
	login := a.public + withBack("/login", about.URL)
	if about.Method != http.MethodGet && about.Method != http.MethodHead {
		// A redirect would lose what the browser has sent, and nobody would notice.
		p.Text = t.NotSent
		a.writeProblem(w, r, p, view{Title: t.LogIn, Links: []link{{Text: t.LogInNewTab, URL: login, NewTab: true}}})
		return
	}
	w.Header().Set("Location", login)
	w.WriteHeader(http.StatusFound)
}

// isPage reports whether a browser goes to a page, which a redirect may lead elsewhere. A script
// that calls an API would follow the redirect and take the login's page for the answer.
func isPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return r.Header.Get("X-Requested-With") == "" && wantsPage(r.Header)
}

// backField is the parameter with the page to which a login leads back.
const backField = "back"

// wayBack returns the address to which a login may lead back: a path of this server, or a page of
// a host that the operator allows. It returns "" for any other: a login that leads anywhere helps
// those who imitate pages (CWE-601).
func (a *App) wayBack(to string) string {
	if to == "" || len(to) > maxBack || strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return ""
	}
	u, err := url.Parse(to)
	switch {
	case err != nil || u.User != nil || u.Opaque != "":
		return ""
	case u.Scheme == "" && u.Host == "":
		if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
			return ""
		}
		return to
	case u.Scheme != "https" && u.Scheme != "http" || !a.back.Allows(u.Scheme, u.Host):
		return ""
	}
	return u.String()
}

// maxBack limits the length of an address to which a login leads back, in bytes.
const maxBack = 2048

// backOf returns the way back that a request names, "" if it names none that is allowed.
func (a *App) backOf(r *http.Request) string { return a.wayBack(r.URL.Query().Get(backField)) }

// withBack adds the way back to the address of one of our pages.
func withBack(path, back string) string {
	if back == "" {
		return path
	}
	return path + "?" + url.Values{backField: {back}}.Encode()
}

// originOf returns the origin of an absolute address; "" of a path.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
