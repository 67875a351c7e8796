// Package web is the login server's HTTP side: JSON for programs and pages for people, on the same
// routes.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store/memstore"
)

// Session is the session of a request.
type Session = session.Session[Account]

// Config configures an [App].
type Config struct {
	// Session configures the sessions. New sets its Devices, ErrorHandler and IsSecure, and adds to
	// its OnEvent. By default they are in memory.
	Session session.Config

	// Sharing says whether other applications use the sessions as well. Default: [Alone].
	Sharing Sharing

	// ListInterval is how often a page with the user's sessions polls for those that began or ended
	// on other nodes. Default: [DefaultListInterval].
	ListInterval time.Duration

	// Users keeps the accounts. The caller closes it, after the App.
	Users *users.Store

	// Guard limits wrong passwords. Default: a new one.
	Guard *throttle.Guard

	// Proxies are the proxies whose X-Forwarded headers are trusted. Default: none.
	Proxies client.Proxies

	// Back are the hosts to which a login may lead back, besides this server. Default: none.
	Back client.Hosts

	// PublicURL is where browsers reach this server, such as https://login.example.com, for a proxy
	// that sends them to the login. Default: the host of the page that they asked for.
	PublicURL string

	// BindDevices binds each login to a key in the browser's device, if the browser can make one
	// (package devicebound, which is experimental). Default: no login is bound.
	BindDevices bool

	// Logger logs logins, wrong passwords and failures. Default: slog.Default().
	Logger *slog.Logger
}

// DefaultListInterval is what a zero [Config.ListInterval] stands for.
const DefaultListInterval = 2 * time.Second

// App answers the routes. It is an [http.Handler].
type App struct {
	sessions *session.Manager[Account]
	owned    io.Closer // the store of the sessions, if New made it
	live     *live
	sharing  Sharing
	shared   *shared // nil but for UsersApart
	users    *users.Store
	guard    *throttle.Guard
	devices  *throttle.Devices
	binding  *devicebound.Binding[Account] // nil if logins are not bound to devices
	proxies  client.Proxies
	back     client.Hosts
	public   string
	log      *slog.Logger
	now      func() time.Time
	handler  http.Handler

	unhealthy sync.Map // what /healthz reported last as unavailable
}

// New returns an App, or what is wrong with the configuration.
func New(cfg Config) (*App, error) {
	a := &App{
		sharing: cfg.Sharing,
		users:   cfg.Users,
		guard:   cfg.Guard,
		proxies: cfg.Proxies,
		back:    cfg.Back,
		public:  strings.TrimSuffix(cfg.PublicURL, "/"),
		log:     cmp.Or(cfg.Logger, slog.Default()),
		now:     cfg.Session.Now,
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.guard == nil {
		a.guard = throttle.NewGuard(nil)
	}
	if cfg.Session.Store == nil {
		kept := memstore.New(memstore.Config{Now: cfg.Session.Now})
		cfg.Session.Store, a.owned = kept, kept
	}
	a.live = newLive(a.list, cmp.Or(cfg.ListInterval, DefaultListInterval))
	report := cfg.Session.OnEvent
	cfg.Session.OnEvent = a.live.listenTo(report)
	var err error
	if a.devices, err = throttle.NewDevices(cfg.Session.Secrets); err != nil {
		return nil, err
	}
	if cfg.Sharing != UsersApart { // nothing of ours is in the sessions of another application's users
		cfg.Session.Devices = session.Devices{Addresses: true, UserAgents: true, ClientAddress: cfg.Proxies.Address}
	}
	cfg.Session.IsSecure = cfg.Proxies.Secure
	cfg.Session.ErrorHandler = a.sessionFailed
	if a.sessions, err = session.New[Account](cfg.Session); err != nil {
		return nil, err
	}
	if a.sharing == UsersApart {
		if a.shared, err = newShared(cfg.Session); err != nil {
			return nil, err
		}
	}
	a.handler = a.protect(a.routes())
	if cfg.BindDevices {
		return a, a.bindDevices(cfg.Session.Now, report)
	}
	return a, nil
}

// bindDevices asks browsers for a key at each login. Pages that show nothing of a user need no proof
// of it: a user whose key is lost logs in again. report gets what happens to keys; nil: nothing does.
func (a *App) bindDevices(now func() time.Time, report func(context.Context, session.Event)) (err error) {
	a.binding, err = devicebound.New(a.sessions, devicebound.Config{
		Exclude: []string{"/login", "/register", "/logout", "/healthz", styleURL, iconURL, scriptURL},
		Now:     now,
		OnEvent: func(ctx context.Context, e devicebound.Event) {
			a.log.DebugContext(ctx, "device binding: "+string(e.Kind), slog.String("session", e.Digest), slog.String("reason", string(e.Reason)))
			if report != nil {
				report(ctx, e.SessionEvent())
			}
		},
	})
	if err == nil {
		a.handler = a.binding.Handler(a.handler)
	}
	return err
}

// IsBound reports whether a session, or one in a list, is bound to a device.
func (a *App) IsBound(s interface{ Note(name string) string }) bool {
	return a.binding != nil && a.binding.IsBound(s)
}

// BoundCookie returns the name of the cookie that proves the key of a device; "" if logins are not
// bound.
func (a *App) BoundCookie() string {
	if a.binding == nil {
		return ""
	}
	return a.binding.CookieName()
}

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// EndStreams ends the streams of live pages and refuses new ones, so that a server that stops does
// not wait for them.
func (a *App) EndStreams() { _ = a.sessions.Close() }

// Close ends the streams, and the sessions if they are kept in memory.
func (a *App) Close() error {
	err := a.sessions.Close()
	if a.owned != nil {
		err = errors.Join(err, a.owned.Close())
	}
	return err
}

func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	declare := func(pattern string, h func(http.ResponseWriter, *http.Request, *Session)) {
		mux.HandleFunc(pattern, a.sessions.HandlerFunc(a.declared(h)))
	}
	declare("GET /{$}", a.home)
	declare("GET /register", a.registerPage)
	declare("POST /register", a.register)
	declare("GET /login", a.loginPage)
	declare("POST /login", a.login)
	declare("GET /me", a.me)
	mux.HandleFunc("POST /logout", a.sessions.HandlerFunc(a.logout)) // whatever has happened to the account
	declare(authURL, a.auth)
	declare("GET /password", a.passwordPage)
	mux.HandleFunc("POST /password", withLastWord(a.sessions.HandlerFunc(a.declared(a.password))))
	declare("GET /events", a.events)
	declare("GET /sessions", a.listSessions)
	declare("GET "+listEventsURL, a.listEvents)
	declare("POST /sessions/{session}/logout", a.logoutOne)
	declare("POST /sessions/logout-others", a.logoutOthers)
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET "+styleURL, asset("text/css; charset=utf-8", styleSheet))
	mux.HandleFunc("GET "+iconURL, asset("image/svg+xml", icon))
	mux.HandleFunc("GET "+scriptURL, asset("text/javascript; charset=utf-8", script))
	return a.explainMisses(mux)
}

// sessionFailed answers if a session could not be loaded or saved.
func (a *App) sessionFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, session.ErrRevoked) {
		// The user was logged out elsewhere during this request.
		t := text.For(r.Header)
		a.writeProblem(w, r, notLoggedIn(t), loginView(t, "", "", nil))
		return
	}
	p := a.problemOf(r, fmt.Errorf("%w: %w", errSession, err))
	if word, ok := r.Context().Value(lastWordKey{}).(*lastWord); ok && word.problem != nil {
		p = word.problem
	}
	a.writeProblem(w, r, p, a.unavailable(r))
}

// lastWord is the response that a handler wants if its session cannot be saved, because what it has
// done cannot be undone.
type lastWord struct{ problem *problem }

type lastWordKey struct{}

func withLastWord(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), lastWordKey{}, new(lastWord))))
	}
}
