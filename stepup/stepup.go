// Package stepup lets a route demand that the user has logged in lately, or by a certain
// method: before a payment, a new password, or the end of other sessions (ASVS 7.5.1, 7.5.3).
//
// A program gets status 403 and a [Problem]. A page sends its user to the login page and back.
// If the user has posted a form, the form is kept in the session, and sent again after the
// login by one click.
package stepup

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session"
)

// DefaultMaxBytes is the default of Config.MaxBytes.
const DefaultMaxBytes = 16 << 10

// Config configures a [Guard] for sessions whose data are a T.
type Config[T any] struct {
	// Login is the path of the login page, such as "/login". It gets the way back as the
	// parameter next; see [Next]. Default: none, and every client gets the [Problem].
	Login string

	// Resume is the path at which the application serves [Guard.Resume]. Form says where in
	// a session's data a posted form is kept until the user is back: a field of the
	// application's type. A session keeps one form; a newer one replaces it. Default: posted
	// forms are not kept, and the page says that the form must be sent again.
	Resume string
	Form   func(data *T) *Form

	// MaxBytes limits the form that is kept: the bytes of its path, names and values.
	// Default: 16 KiB.
	MaxBytes int

	// Secret reports whether a field of a form must not be kept. The user enters it again.
	// Default: fields whose name contains "passw", "passphrase", "pwd" or "secret", or has one
	// of the words "pass", "pin", "otp", "totp", "cvc" and "cvv", in any letter case: "otp-code"
	// and "cardCVC", and not "shipping".
	Secret func(field string) bool

	// Page shows the pages of this package. Default: pages in English without style and
	// without scripts, and with a Content-Security-Policy that allows neither. The policy
	// lets the page be shown in no frame.
	Page func(w http.ResponseWriter, r *http.Request, p Page)

	// Now returns the current time, as the Config of the sessions does. Default: time.Now.
	Now func() time.Time
}

// Guard lets requests pass whose session satisfies a [Rule]. [New] makes one.
type Guard[T any] struct {
	sessions *session.Manager[T]
	cfg      Config[T]
	origins  *http.CrossOriginProtection
}

// New checks cfg and returns a guard. The error names the field of cfg that cannot work.
func New[T any](sessions *session.Manager[T], cfg Config[T]) (*Guard[T], error) {
	var errs []error
	for _, p := range [][2]string{{"Login", cfg.Login}, {"Resume", cfg.Resume}} {
		if p[1] != "" && !isLocal(p[1]) {
			errs = append(errs, fmt.Errorf("stepup: Config.%s: %q is not a path of this site; write one such as /login", p[0], p[1]))
		}
	}
	if (cfg.Resume == "") != (cfg.Form == nil) {
		errs = append(errs, errors.New("stepup: Config.Resume and Config.Form are needed both, or neither"))
	}
	if cfg.Resume != "" && cfg.Login == "" {
		errs = append(errs, errors.New("stepup: Config.Resume has no effect without Login; write the path of the login page"))
	}
	if cfg.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("stepup: Config.MaxBytes: %d would keep no form; write a positive number, or 0 for %d", cfg.MaxBytes, DefaultMaxBytes))
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Secret == nil {
		cfg.Secret = isSecret
	}
	if cfg.Page == nil {
		cfg.Page = writePage
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Guard[T]{sessions, cfg, http.NewCrossOriginProtection()}, errors.Join(errs...)
}

var words = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)

func isSecret(field string) bool {
	lower := strings.ToLower(field)
	for _, text := range []string{"passw", "passphrase", "pwd", "secret"} {
		if strings.Contains(lower, text) {
			return true
		}
	}
	return slices.ContainsFunc(words.FindAllString(field, -1), func(word string) bool {
		return slices.Contains([]string{"pass", "pin", "otp", "totp", "cvc", "cvv"}, strings.ToLower(word))
	})
}

// Require returns a handler that calls next if the session satisfies the rule. It is for
// [session.Manager.HandlerFunc].
func (g *Guard[T]) Require(rule Rule, next func(http.ResponseWriter, *http.Request, *session.Session[T])) func(http.ResponseWriter, *http.Request, *session.Session[T]) {
	return func(w http.ResponseWriter, r *http.Request, s *session.Session[T]) {
		if p := rule.Check(s, g.cfg.Now()); p != nil {
			g.refuse(w, r, s, p)
			return
		}
		next(w, r, s)
	}
}

// Handler is Require for handlers of net/http. It is middleware inside
// [session.Manager.Handler].
func (g *Guard[T]) Handler(rule Rule, next http.Handler) http.Handler {
	guarded := g.Require(rule, func(w http.ResponseWriter, r *http.Request, _ *session.Session[T]) { next.ServeHTTP(w, r) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := g.sessions.Load(r.Context())
		if err != nil { // if the store failed, the client gets the error response of the manager
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		guarded(w, r, s)
	})
}

// refuse answers a request that the rule does not let pass.
func (g *Guard[T]) refuse(w http.ResponseWriter, r *http.Request, s *session.Session[T], p *Problem) {
	if g.cfg.Login == "" || !isPage(r) {
		p.Login = g.cfg.Login
		p.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	back, reason := requested(r), Reason("")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		back, reason = g.keep(w, r, s)
	}
	if reason != "" {
		g.cfg.Page(w, r, Page{Status: http.StatusForbidden, Reason: reason, Login: g.loginPage(back)})
		return
	}
	http.Redirect(w, r, g.loginPage(back), http.StatusSeeOther)
}

// isPage reports whether a browser shows the response in a window, so that a redirect leads
// its user. What a script fetches gets the problem.
func isPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// loginPage returns the URL of the login page with the way back.
func (g *Guard[T]) loginPage(back string) string {
	sep := "?"
	if strings.Contains(g.cfg.Login, "?") {
		sep = "&"
	}
	return g.cfg.Login + sep + next + "=" + url.QueryEscape(back)
}

// next is the parameter of the login page.
const next = "next"

// maxBack limits the way back, which is a part of a URL.
const maxBack = 2048

// Next returns the path to which the login page sends the user after the login: the parameter
// next of the URL or the form. It is a path of this site, so it cannot send the user to
// another one; "/" if there is none. A login page puts it into its form.
func Next(r *http.Request) string {
	if back := r.FormValue(next); isLocal(back) {
		return back
	}
	return "/"
}

// isLocal reports whether browsers take a text for a path of the same site. They take a
// backslash for a slash, and ignore tabs and line breaks.
func isLocal(path string) bool {
	if path == "" || path[0] != '/' || len(path) > 1 && path[1] == '/' || len(path) > maxBack {
		return false
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	u, err := url.Parse(path)
	return err == nil && u.Scheme == "" && u.Host == ""
}

// requested returns the path and query that the client requested, before http.StripPrefix;
// "/" if that is not a path of this site.
func requested(r *http.Request) string {
	for _, path := range []string{r.RequestURI, r.URL.RequestURI(), r.URL.EscapedPath()} {
		if isLocal(path) {
			return path
		}
	}
	return "/"
}
