package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// health is the flags of `nestsession health`.
type health struct {
	URL     string        `arg:"" optional:"" help:"The URL of the server. Default: the address in $NESTSESSION_ADDRESS, or http://127.0.0.1:8080."`
	Address string        `hidden:"" default:"127.0.0.1:8080" env:"NESTSESSION_ADDRESS"`
	Timeout time.Duration `default:"3s" placeholder:"DURATION" help:"How long the response may take. Default: ${default}."`

	to *url.URL
}

// Help returns the help beyond the flags.
func (*health) Help() string {
	return `The command requests /healthz, or the path in the URL, and fails unless the status is 200. It is a health check for containers that have neither curl nor a shell. ` +
		`"nestsession proxy" passes requests on to the application: add the path of a page that needs no login.`
}

// Validate refuses what cannot be asked.
func (c *health) Validate() error {
	u, err := url.Parse(cmp.Or(c.URL, "http://"+c.Address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" && u.Host == "" {
		return fmt.Errorf("%q is not the address of a server: write one such as http://127.0.0.1:8080", cmp.Or(c.URL, c.Address))
	}
	// A server that listens on all addresses is asked on this machine.
	if a, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "" || err == nil && a.IsUnspecified() {
		host := "127.0.0.1"
		if err == nil && a.Is6() {
			host = "::1"
		}
		u.Host = net.JoinHostPort(host, cmp.Or(u.Port(), "80"))
	}
	if u.Path == "" || u.Path == "/" && c.URL == "" {
		u.Path = "/healthz"
	}
	c.to = u
	return nil
}

// maxBody is how much of an answer is shown.
const maxBody = 1 << 10

// Run asks, and prints the answer.
func (c *health) Run(ctx context.Context, to output) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.to.String(), nil)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{}, // no proxy: the server is near
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	text := printable(strings.TrimSpace(string(body)))
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %s: %s", c.to.Redacted(), res.Status, text)
	}
	_, err = fmt.Fprintln(to.out, text)
	return err
}
