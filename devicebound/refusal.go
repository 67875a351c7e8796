package devicebound

import (
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// excluded reports whether Config.Exclude has the path for which the client has asked. A
// router may have cut a prefix off r.URL, and a client may send what a browser resolves, as
// in /static/../account.
func (b *Binding[T]) excluded(r *http.Request) bool {
	at := r.URL.Path
	if r.RequestURI != "" { // it may have the scheme and the host too
		asked, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			return false
		}
		at = asked.Path
	}
	at = path.Clean("/" + at)
	for _, p := range b.cfg.Exclude {
		if rest, ok := strings.CutPrefix(at, strings.TrimSuffix(p, "/")); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// refusal is the ErrRefused of a request, and writes its response.
type refusal struct {
	page       http.Handler
	cookie     string
	attributes string // of the cookie
}

func (*refusal) Error() string { return ErrRefused.Error() }
func (*refusal) Unwrap() error { return ErrRefused }

// ServeHTTP sends 401. If a bound cookie came, the browser believes that it counts. So the
// response expires it, and the browser proves its key before its next request. Nor does a
// browser prove its key for a link on another site. In both cases a page that it shows is
// loaded again, once, and it proves its key for that.
func (f *refusal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	came := len(r.CookiesNamed(f.cookie)) > 0
	if came {
		h.Add("Set-Cookie", expired(f.cookie, f.attributes))
	}
	switch {
	case (came || elsewhere(r)) && r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate":
		h.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `<!doctype html><meta http-equiv="refresh" content="0"><title>One moment</title>`)
	case f.page != nil:
		f.page.ServeHTTP(w, r)
	case skipped(r.Header, f.cookie) != "": // the browser has the key: a new login would not help
		http.Error(w, "try again in a moment: the browser could not prove the key of this session", http.StatusUnauthorized)
	default:
		http.Error(w, "log in again: this session is bound to another device, or its key is lost", http.StatusUnauthorized)
	}
}

// elsewhere reports whether a page of another origin has made the browser send the request.
func elsewhere(r *http.Request) bool {
	from := r.Header.Get("Sec-Fetch-Site")
	return from == "cross-site" || from == "same-site"
}

// expired returns the Set-Cookie line that expires the bound cookie.
func expired(name, attributes string) string { return name + "=; Max-Age=0; " + attributes }
