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
	Address string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" env:"NESTSESSION_ADDRESS" help:"Listen here. Port 0 takes any that is free. Default: ${default}."`

	Data string `default:"${folder}" placeholder:"FOLDER" env:"NESTSESSION_DATA" help:"Keep users, secret and sessions in this folder, which is made if it is not there. Default: ${default}."`

	storeFlags

	usersFlags

	clusterFlags

	SecretFile string `placeholder:"FILE" env:"NESTSESSION_SECRET_FILE" help:"Read the secrets from this file, which only its owner may read. Default: the file \"secret\" in the data folder, made at the first start."`

	NearCache size `default:"" placeholder:"SIZE" env:"NESTSESSION_NEAR_CACHE" help:"Cache this much of the sessions in this process, so that most requests need no round trip to the store; 0: no cache. A change by another process is seen within milliseconds, or within two seconds if the store does not publish changes (SQLite, MySQL). Default: 64MiB for Redis, PostgreSQL, NATS and a cluster, if they publish changes."`

	cookieFlags

	UsersAreShared bool `env:"NESTSESSION_USERS_ARE_SHARED" help:"With --express: the applications have the same users as this server, so that the user in their sessions is logged in here. Default: their users are not the users of this server."`

	eventFlags

	TrustedProxy []string `placeholder:"ADDRESS" env:"NESTSESSION_TRUSTED_PROXY" help:"Trust X-Forwarded-For and X-Forwarded-Proto from these addresses and networks, such as 127.0.0.1,10.0.0.0/8. Default: trust none."`

	Allow []string `placeholder:"HOST" env:"NESTSESSION_ALLOW" help:"A login may lead back to pages of these hosts, such as example.com,*.example.com: they are behind a proxy that asks /auth. Over plain HTTP write http://localhost:3000. Default: only to this server."`

	PublicURL string `placeholder:"URL" env:"NESTSESSION_PUBLIC_URL" help:"Where browsers reach this server, such as https://login.example.com. A proxy that asks /auth?redirect sends them there to log in. Default: to /login on the host of the page that they asked for."`

	BindDevices bool `env:"NESTSESSION_BIND_DEVICES" help:"Experimental: bind each login to a key in the browser's device, so that a stolen cookie is worth nothing elsewhere. It needs HTTPS, and a browser that can (Chromium); other browsers go on as before. Default: off."`

	Metrics string `placeholder:"HOST:PORT" env:"NESTSESSION_METRICS" help:"Serve /metrics for Prometheus here, an address that only the monitoring should reach. Default: nowhere. Spans and metrics are also sent over OTLP if OTEL_EXPORTER_OTLP_ENDPOINT names a collector."`

	proxies client.Proxies
	back    client.Hosts
}

// age is how long a session lives without a request, in whole seconds as in cookies.
type age time.Duration

// UnmarshalText reads a duration in Go's form.
func (a *age) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > maxAge || d%time.Second != 0 {
		return fmt.Errorf("%q cannot be: write whole hours, minutes and seconds up to %v, such as 168h for a week or 1h30m", text, age(maxAge))
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
		return fmt.Errorf("%q cannot be: write 0 or at least 64KiB, such as 64MiB or 1GiB", text)
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
		return errors.New("--users-are-shared: only sessions that are shared with --express have users of other applications: add it, or leave this out")
	}
	if t, err := storeurl.Parse(c.Store, c.Express); c.Store != "" && err == nil && t.Kind == storeurl.Memory && c.NearCache.bytes > 0 {
		return errors.New("--near-cache: the sessions of --store memory: are in this process already: leave one of them out")
	}
	if c.Secure == "always" && len(c.proxies) == 0 {
		return fmt.Errorf("--secure always: this server speaks plain HTTP, over which no browser would get a cookie: name the proxy that speaks HTTPS in front of it with --trusted-proxy, or write --secure auto")
	}
	return nil
}
