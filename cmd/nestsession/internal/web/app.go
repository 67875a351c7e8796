// Package web is the login server's HTTP side: JSON for programs and pages for
// people, on the same routes.
package web

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// Account is what a session holds.
type Account struct {
	User   *users.User `json:"user,omitempty"`
	Notice string      `json:"notice,omitempty"` // shown once, on the next page
}

// Session is the session of a request.
type Session = session.Session[Account]

// Config is what an [App] is made of.
type Config struct {
	// Session configures the sessions. New sets its ErrorHandler, Proxy and IsSecure.
	Session session.Config

	// Users keeps the accounts. The caller closes it, after the App.
	Users *users.Store

	// Guard counts wrong passwords. Default: a new one.
	Guard *throttle.Guard

	// Proxies are believed what they say of their clients. Default: none.
	Proxies client.Proxies

	// Logger is told of logins, good and bad, and of failures. Default: slog.Default().
	Logger *slog.Logger
}

// App answers the routes. It is an [http.Handler].
type App struct {
	sessions *session.Manager[Account]
	users    *users.Store
	guard    *throttle.Guard
	devices  *throttle.Devices
	proxies  client.Proxies
	log      *slog.Logger
	handler  http.Handler
}

// New returns an App, or what is wrong with the configuration.
func New(cfg Config) (*App, error) {
	a := &App{
		users:   cfg.Users,
		guard:   cfg.Guard,
		proxies: cfg.Proxies,
		log:     cmp.Or(cfg.Logger, slog.Default()),
	}
	if a.guard == nil {
		a.guard = throttle.NewGuard(nil)
	}
	var err error
	if a.devices, err = throttle.NewDevices(cfg.Session.Secrets); err != nil {
		return nil, err
	}
	cfg.Session.Proxy = session.ProxyUnset
	cfg.Session.IsSecure = cfg.Proxies.Secure
	cfg.Session.ErrorHandler = a.sessionFailed
	if a.sessions, err = session.New[Account](cfg.Session); err != nil {
		return nil, err
	}
	a.handler = a.protect(a.routes())
	return a, nil
}

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close ends the sessions that are kept in memory.
func (a *App) Close() error { return a.sessions.Close() }

func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	declare := func(pattern string, h func(http.ResponseWriter, *http.Request, *Session)) {
		mux.HandleFunc(pattern, a.sessions.HandlerFunc(h))
	}
	declare("GET /{$}", a.home)
	declare("GET /register", a.registerPage)
	declare("POST /register", a.register)
	declare("GET /login", a.loginPage)
	declare("POST /login", a.login)
	declare("GET /me", a.me)
	declare("POST /logout", a.logout)
	declare("GET /password", a.passwordPage)
	declare("POST /password", a.password)
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET "+styleURL, asset("text/css; charset=utf-8", styleSheet))
	mux.HandleFunc("GET "+iconURL, asset("image/svg+xml", icon))
	return a.explainMisses(mux)
}

// sessionFailed answers where a session could not be loaded or saved.
func (a *App) sessionFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, session.ErrRevoked) {
		// Logged out elsewhere, between the start of this request and its end.
		a.writeProblem(w, r, &notLoggedIn, loginView("", nil))
		return
	}
	a.writeProblem(w, r, a.problemOf(r, fmt.Errorf("%w: %w", errSession, err)), view{Title: "Not available", Links: toStart})
}
