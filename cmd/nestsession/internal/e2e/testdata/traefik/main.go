// This program is Traefik's middleware and its proxy, with a router for the rule Host(`…`). The
// providers, plugins and certificates are left out: they are most of what Traefik takes to build.
// It takes the files that Traefik takes.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/containous/alice"
	"github.com/traefik/paerser/file"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/middlewares/auth"
	"github.com/traefik/traefik/v3/pkg/middlewares/forwardedheaders"
	"github.com/traefik/traefik/v3/pkg/middlewares/headers"
	"github.com/traefik/traefik/v3/pkg/proxy/httputil"
)

// static is what traefik.yml says.
type static struct {
	EntryPoints map[string]struct{ Address string }
	Providers   struct{ File struct{ Filename string } }
}

func main() {
	path := flag.String("configFile", "traefik.yml", "the static configuration")
	flag.Parse()
	var from static
	if err := file.Decode(*path, &from); err != nil {
		log.Fatal(err)
	}
	var to dynamic.Configuration
	if err := file.Decode(from.Providers.File.Filename, &to); err != nil {
		log.Fatal(err)
	}
	handler, err := route(context.Background(), to.HTTP)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(from.EntryPoints["web"].Address, handler))
}

// transports make all connections to the services alike.
type transports struct{}

func (transports) Get(string) (*dynamic.ServersTransport, error) { return nil, nil }
func (transports) GetTLSConfig(string) (*tls.Config, error)      { return nil, nil }
func (transports) GetRoundTripper(string) (http.RoundTripper, error) {
	return http.DefaultTransport, nil
}

// hosts are the routers, which all have the rule Host(`…`).
type hosts map[string]http.Handler

func (h hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	if to := h[name]; to != nil {
		to.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// route returns the handler of an entry point.
func route(ctx context.Context, c *dynamic.HTTPConfiguration) (http.Handler, error) {
	routes := hosts{}
	for name, r := range c.Routers {
		balancer := c.Services[r.Service].LoadBalancer
		to, err := url.Parse(balancer.Servers[0].URL)
		if err != nil {
			return nil, err
		}
		flush := time.Duration(0)
		if balancer.ResponseForwarding != nil {
			flush = time.Duration(balancer.ResponseForwarding.FlushInterval)
		}
		service, err := httputil.NewProxyBuilder(transports{}, nil).Build(name, to, true, false, flush)
		if err != nil {
			return nil, err
		}
		var chain alice.Chain
		for _, name := range r.Middlewares {
			chain = chain.Append(func(next http.Handler) (http.Handler, error) {
				if m := c.Middlewares[name]; m.ForwardAuth == nil {
					return headers.New(ctx, next, *m.Headers, name)
				}
				return auth.NewForward(ctx, next, *c.Middlewares[name].ForwardAuth, name)
			})
		}
		handler, err := chain.Then(service)
		if err != nil {
			return nil, err
		}
		host, found := strings.CutPrefix(strings.TrimSuffix(r.Rule, "`)"), "Host(`")
		if !found {
			return nil, fmt.Errorf("the rule %q names no host", r.Rule)
		}
		routes[host] = handler
	}
	return forwardedheaders.NewXForwarded(false, nil, nil, routes)
}
