package cli

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// maxAge is the longest that browsers keep a cookie (RFC 6265bis, section 5.5).
const maxAge = 400 * 24 * time.Hour

// serve is the flags of the command. A flag overrides its environment variable.
type serve struct {
	Address string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" env:"NESTSESSION_ADDRESS" help:"Listen here. Port 0 takes any free port. Default: ${default}."`

	Data string `default:"${folder}" placeholder:"FOLDER" env:"NESTSESSION_DATA" help:"Keep users, secret and sessions in this folder, which is created if it is missing. Default: ${default}."`

	storeFlags

	usersFlags

	clusterFlags

	SecretFile string `placeholder:"FILE" env:"NESTSESSION_SECRET_FILE" help:"Read the secrets from this file, which only its owner may read. Default: the file \"secret\" in the data folder, created at the first start."`

	NearCache size `default:"" placeholder:"SIZE" env:"NESTSESSION_NEAR_CACHE" help:"The size of a cache of sessions in this process, with which most requests need no round trip to the store; 0: no cache. The server sees a change by another process within milliseconds, or within two seconds if the store does not publish changes (SQLite, MySQL). Default: 64MiB for Redis, PostgreSQL, NATS and a cluster, if they publish changes; otherwise 0."`

	cookieFlags

	UsersAreShared bool `env:"NESTSESSION_USERS_ARE_SHARED" help:"With --express: the applications have the same users as this server, so that a user who is logged in there is logged in here too. Default: their users are not the users of this server."`

	eventFlags

	TrustedProxy []string `placeholder:"ADDRESS" env:"NESTSESSION_TRUSTED_PROXY" help:"Trust X-Forwarded-For and X-Forwarded-Proto from these addresses and networks, such as 127.0.0.1,10.0.0.0/8. Default: trust none."`

	Allow []string `placeholder:"HOST" env:"NESTSESSION_ALLOW" help:"After a login the server may redirect to pages of these hosts, which are behind a proxy that asks /auth, such as example.com,*.example.com. For plain HTTP write http://localhost:3000. Default: only to pages of this server."`

	PublicURL string `placeholder:"URL" env:"NESTSESSION_PUBLIC_URL" help:"The URL at which browsers reach this server, such as https://login.example.com. A proxy that asks /auth?redirect sends browsers there to log in. Default: /login on the host of the requested page."`

	BindDevices bool `env:"NESTSESSION_BIND_DEVICES" help:"Experimental: bind each login to a key in the browser's device, so that a stolen cookie is useless on another device. It needs HTTPS and a browser that supports it (Chromium); other browsers work as before. Default: off."`

	Metrics string `placeholder:"HOST:PORT" env:"NESTSESSION_METRICS" help:"Serve /metrics for Prometheus at this address, which only the monitoring should reach. Default: no metrics over HTTP. Spans and metrics are also sent over OTLP if OTEL_EXPORTER_OTLP_ENDPOINT names a collector."`

	proxies client.Proxies
	back    client.Hosts
}

// age is how long a session lives without a request, in whole seconds as in cookies.
type age time.Duration

// UnmarshalText reads a duration in Go's form.
func (a *age) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > maxAge || d%time.Second != 0 {
		return fmt.Errorf("%q is not a valid duration: write whole hours, minutes and seconds up to %v, such as 168h for a week or 1h30m", text, age(maxAge))
	}
	*a = age(d)
	return nil
}

// String leaves out the zeros that time.Duration writes at the end.
func (a age) String() string {
	text := time.Duration(a).String()
	if a%age(time.Minute) == 0 && a > 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if a%age(time.Hour) == 0 && a > 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// size is an amount of memory.
type size struct {
	bytes int64
	given bool
}

// minCache is less than some sessions need.
const minCache = 64 << 10

// UnmarshalText reads a size with or without a unit.
func (s *size) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64 || n > 0 && n < minCache {
		return fmt.Errorf("%q is not a valid size: write 0 or at least 64KiB, such as 64MiB or 1GiB", text)
	}
	s.bytes, s.given = int64(n), true
	return nil
}

// Validate refuses settings that cannot work, before anything is made.
func (c *serve) Validate() error {
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return fmt.Errorf("--address: %q is not an address to listen on: write HOST:PORT, such as 127.0.0.1:8080", c.Address)
	}
	if _, _, err := net.SplitHostPort(c.Metrics); c.Metrics != "" && err != nil {
		return fmt.Errorf("--metrics: %q is not an address to listen on: write HOST:PORT, such as 127.0.0.1:9464", c.Metrics)
	}
	var err error
	if c.proxies, err = client.ParseProxies(c.TrustedProxy); err != nil {
		return fmt.Errorf("--trusted-proxy: %w", err)
	}
	if c.back, err = client.ParseHosts(c.Allow); err != nil {
		return fmt.Errorf("--allow: %w", err)
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		return fmt.Errorf("--public-url: %q is not the address of a server: write one such as https://login.example.com", c.PublicURL)
	}
	if err := c.storeFlags.validate(); err != nil {
		return err
	}
	if err := c.usersFlags.validateUsers(); err != nil {
		return err
	}
	if err := c.validateCluster(); err != nil {
		return err
	}
	if err := c.cookieFlags.validate(); err != nil {
		return err
	}
	if err := c.eventFlags.validate(); err != nil {
		return err
	}
	if c.UsersAreShared && !c.Express {
		return errors.New("--users-are-shared needs --express, which shares sessions with other applications: add --express, or leave out --users-are-shared")
	}
	if t, err := storeurl.Parse(c.Store, c.Express); c.Store != "" && err == nil && t.Kind == storeurl.Memory && c.NearCache.bytes > 0 {
		return errors.New("--near-cache: the sessions of --store memory: are already in this process: leave out one of the two")
	}
	if c.Secure == "always" && len(c.proxies) == 0 {
		return fmt.Errorf("--secure always: this server speaks plain HTTP, over which browsers get no Secure cookie: name the HTTPS proxy in front of it with --trusted-proxy, or write --secure auto")
	}
	return nil
}
