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

	Upstream string `required:"" placeholder:"URL" env:"NESTSESSION_UPSTREAM" help:"Pass requests on to this application, such as http://127.0.0.1:3000. Nobody else may reach it: it believes the headers that say who the user is."`

	Timeout time.Duration `default:"60s" placeholder:"DURATION" env:"NESTSESSION_UPSTREAM_TIMEOUT" help:"How long the application may take until its response begins. Default: ${default}."`

	to *url.URL
}

// Help returns the help beyond the flags.
func (*proxy) Help() string {
	return `Users log in at a server that was started with "serve", with the same store, users and secrets: --public-url names it, and its --allow names this one's host. ` +
		`A request of a user who is logged in goes on to the application, with the headers Remote-User, Remote-User-Id, Remote-Session and Remote-Session-Expires; ` +
		`those that a client sends are removed, and so is the session's cookie. A browser that goes to a page is sent to the login; any other request gets 401. ` +
		`WebSockets and streams end when the session does.

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
		return errors.New("--timeout: the application needs some time: write a duration such as 60s")
	}
	if c.PublicURL == "" {
		return errors.New("--public-url: visitors cannot log in here: name the server that was started with serve, such as https://login.example.com")
	}
	if c.CookiePath != "/" {
		return errors.New("--cookie-path: the application has pages below every path: leave it out")
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
				log.WarnContext(r.Context(), "the application does not answer", slog.Int("status", status), slog.Any("error", err))
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
		return server, fmt.Sprintf("  passes on to %s, logs in at %s\n", c.to, c.PublicURL)
	})
}
