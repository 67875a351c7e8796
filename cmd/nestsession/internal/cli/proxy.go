package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/upstream"
	"github.com/nestsession/session/cmd/nestsession/internal/web"
)

// proxy is the flags of the command. Those of the sessions, the users and the cookie are those of serve, with
// which it shares all of them.
type proxy struct {
	serve

	Upstream string `required:"" placeholder:"URL" env:"NESTSESSION_UPSTREAM" help:"Pass requests on to this application, such as http://127.0.0.1:3000. Only this proxy may reach the application, because the application trusts the headers that name the user."`

	Timeout time.Duration `default:"60s" placeholder:"DURATION" env:"NESTSESSION_UPSTREAM_TIMEOUT" help:"How long the application may take to begin its response. Default: ${default}."`

	to *url.URL
}

// Help returns the help beyond the flags.
func (*proxy) Help() string {
	return `Users log in at a server that runs "serve" with the same store, users and secrets. --public-url names that server, and the --allow of that server names this proxy's host. ` +
		`The proxy passes a request of a logged-in user on to the application, with the headers Remote-User, Remote-User-Id, Remote-Session and Remote-Session-Expires. ` +
		`It removes such headers from the client's request, and the session's cookie. A browser that opens a page is redirected to the login; any other request gets 401. ` +
		`WebSockets and streams are closed when the session ends.

` + storesHelp
}

// Validate refuses settings that cannot work, before anything is made.
func (c *proxy) Validate() error {
	u, err := url.Parse(c.Upstream)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("--upstream: %q is not the address of an application: write one such as http://127.0.0.1:3000", c.Upstream)
	}
	c.to = u
	if c.Timeout <= 0 {
		return errors.New("--timeout must be more than 0: write a duration such as 60s")
	}
	if c.PublicURL == "" {
		return errors.New("--public-url is missing: users cannot log in at this proxy, so name the server that runs serve, such as https://login.example.com")
	}
	if c.CookiePath != "/" {
		return errors.New("--cookie-path: the proxy needs the cookie on every path of the application: leave it out")
	}
	return c.serve.Validate()
}

// Run passes requests on until ctx ends, then lets those in progress finish.
func (c *proxy) Run(ctx context.Context, to output) error {
	c.routes = nil // the paths are the application's, and may hold secrets
	return c.run(ctx, to, func(pages *site, log *slog.Logger) (*http.Server, string) {
		application := upstream.New(upstream.Config{
			URL: c.to, Timeout: c.Timeout, Private: pages.cookies, Trusted: c.proxies.Trusts, Logger: log,
			Refuse: func(w http.ResponseWriter, r *http.Request, status int, err error) {
				log.WarnContext(r.Context(), "the application did not answer", slog.Int("status", status), slog.Any("error", err))
				pages.appFor(r).Refuse(w, r, status)
			},
		})
		gates := map[*web.App]http.Handler{}
		for _, app := range pages.apps() {
			gates[app] = app.Gate(application)
		}
		server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pages.untrusted.look(r)
			gates[pages.appFor(r)].ServeHTTP(w, r)
		}), log)
		server.ReadTimeout, server.WriteTimeout = 0, 0 // uploads and streams last; upstream ends those that stall
		server.MaxHeaderBytes = http.DefaultMaxHeaderBytes
		return server, fmt.Sprintf("  upstream  %s\n  login     at %s\n", c.to, c.PublicURL)
	})
}
