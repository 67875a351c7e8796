package devicebound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The defaults of a [Config].
const (
	DefaultRegisterPath = "/dbsc/register"
	DefaultRefreshPath  = "/dbsc/refresh"
	DefaultLifetime     = 10 * time.Minute
	DefaultOverlap      = 5 * time.Second
	DefaultStreamGrace  = time.Minute
	DefaultRequireAfter = time.Minute
)

// Config is the configuration of a [Binding]. The zero value works.
type Config struct {
	// RegisterPath and RefreshPath are the paths to which the browser sends the key and its
	// proofs. [Binding.Handler] serves them. The session cookie's Path must cover them, or
	// no session is bound, which an event reports with ReasonPath. "" stands for DefaultRegisterPath and
	// DefaultRefreshPath.
	RegisterPath, RefreshPath string

	// Lifetime is how long a proof counts. A thief who has all cookies of a browser is out
	// after this time at the latest. 0 stands for DefaultLifetime. Chromium makes only 6
	// signatures for a site in 9 minutes, so New refuses less than 5 minutes unless
	// ShortLifetime is true, which is for tests.
	Lifetime      time.Duration
	ShortLifetime bool

	// Overlap is how long the last proof's cookie still counts after the next proof, for
	// requests that are in flight. 0 stands for DefaultOverlap; a negative value for none.
	Overlap time.Duration

	// StreamGrace is how long after the end of the proof that a request has brought its
	// contexts of session.Session.NotifyContext end, with session.ErrLapsed. The client
	// connects again, and its browser proves the key for that. So a stream lasts at most
	// Lifetime and StreamGrace, as a thief may have opened it. 0 stands for
	// DefaultStreamGrace.
	StreamGrace time.Duration

	// Require reports whether a request needs a session with a key. It is asked for sessions
	// with an owner that have none, because the browser cannot make one or has not sent it
	// yet. nil requires none. RequireAfter is how long after the login such a session may
	// wait for its key; 0 stands for DefaultRequireAfter; a negative value for none.
	Require      func(r *http.Request, owner string) bool
	RequireAfter time.Duration

	// Exclude are paths that need no proof, with all paths beneath them: static files, and
	// the pages by which a user whose key is lost logs in again and logs out. The browser
	// does not wait for a proof there, and a thief can call them, so they must not show or
	// change a user's data.
	Exclude []string

	// Origin is the site's origin as the browser sees it, such as "https://shop.example". It
	// is needed only if a proxy replaces the request's Host. "" stands for https and Host.
	Origin string

	// Refused writes the response for a bound session without a valid proof. It should send
	// the status 401. nil writes a short text.
	Refused http.Handler

	// OnEvent is called for what happens to keys and proofs. It must return quickly.
	OnEvent func(ctx context.Context, e Event)

	// Off switches binding off for good: no keys are asked for, no request is refused, and
	// a browser that has a key forgets it when it next sends a proof. Keep the Binding with
	// Off for as long as sessions live, and then remove it.
	Off bool

	// Now is the clock. nil stands for time.Now. Give the same as in session.Config.
	Now func() time.Time
}

func (c *Config) withDefaults() error {
	c.RegisterPath, c.RefreshPath = cmp.Or(c.RegisterPath, DefaultRegisterPath), cmp.Or(c.RefreshPath, DefaultRefreshPath)
	c.Lifetime, c.Overlap = cmp.Or(c.Lifetime, DefaultLifetime), cmp.Or(c.Overlap, DefaultOverlap)
	c.StreamGrace, c.RequireAfter = cmp.Or(c.StreamGrace, DefaultStreamGrace), cmp.Or(c.RequireAfter, DefaultRequireAfter)
	if c.Now == nil {
		c.Now = time.Now
	}
	var errs []error
	refuse := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("devicebound: Config.%s: "+format, append([]any{field}, args...)...))
	}
	for _, p := range []struct{ field, path string }{{"RegisterPath", c.RegisterPath}, {"RefreshPath", c.RefreshPath}} {
		if !plainPath(p.path) {
			refuse(p.field, "%q is not a path that begins with one / and has no query and no escape", p.path)
		}
	}
	if c.RegisterPath == c.RefreshPath {
		refuse("RefreshPath", "it is the same as RegisterPath; give two paths")
	}
	if c.Lifetime < minLifetime && !c.ShortLifetime || c.Lifetime < time.Second {
		refuse("Lifetime", "%v is too short, because Chromium signs only 6 times in 9 minutes; give 5 minutes or more", c.Lifetime)
	}
	if c.StreamGrace < 0 {
		refuse("StreamGrace", "it is negative")
	}
	c.Exclude = slices.Clone(c.Exclude)
	for _, path := range c.Exclude {
		if !plainPath(path) || path == "/" {
			refuse("Exclude", "%q is not a path that begins with one /, is longer and has no escape", path)
		}
	}
	if c.Origin != "" && (!strings.HasPrefix(c.Origin, "https://") || strings.Count(c.Origin, "/") != 2) {
		refuse("Origin", "%q is not an origin such as https://shop.example", c.Origin)
	}
	return errors.Join(errs...)
}

const minLifetime = 5 * time.Minute

func plainPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`"\?#%`, c)
	})
}
