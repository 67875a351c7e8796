// Package check finds what of a Config cannot work, and says what to write instead.
package check

import (
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/lifetime"
)

const (
	minSecretBytes = 16
	// maxCookieAge is what browsers cut a cookie's lifetime to (RFC 6265bis section 5.5).
	maxCookieAge = 400 * 24 * time.Hour
)

// Refuse returns an error of New: the field, what is wrong, and what to write instead.
func Refuse(field, format string, args ...any) error {
	return fmt.Errorf("session: Config.%s: %s", field, fmt.Sprintf(format, args...))
}

// Secrets checks the secrets. short allows those that can be guessed.
func Secrets(secrets []string, short bool) error {
	if len(secrets) == 0 {
		return Refuse("Secrets", "none given; write the output of `openssl rand -base64 32`")
	}
	for i, s := range secrets {
		field := fmt.Sprintf("Secrets[%d]", i)
		if s == "" {
			return Refuse(field, "empty (is the environment variable set?); write the output of `openssl rand -base64 32`")
		}
		if len(s) < minSecretBytes && !short {
			return Refuse(field, "%d bytes can be guessed; write at least %d, such as `openssl rand -base64 32` makes, or set Express.InsecureShortSecrets to share cookies with an application that has it", len(s), minSecretBytes)
		}
	}
	return nil
}

// Times are the durations of a Config. Negative timeouts other than NoTimeout are refused.
type Times struct {
	Idle, Absolute, Touch, Load, Save, Recheck time.Duration
	MaxAge                                     time.Duration // of the cookie

	NoTimeout                                           time.Duration
	DefaultIdle, DefaultLoad, DefaultSave, DefaultCheck time.Duration

	NoUsualIdle  bool // without Idle and MaxAge there is no idle timeout
	CookieIsSent bool // a write sends the cookie, so Touch must be shorter than MaxAge
}

// Check returns what is wrong with the durations.
func (t *Times) Check() error {
	var errs []error
	add := func(field, format string, args ...any) { errs = append(errs, Refuse(field, format, args...)) }
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"IdleTimeout", t.Idle}, {"AbsoluteTimeout", t.Absolute}} {
		if f.value < 0 && f.value != t.NoTimeout {
			add(f.name, "%v is in the past; write a positive duration, or NoTimeout for none", f.value)
		}
		if f.value > 0 && f.value < time.Millisecond {
			add(f.name, "%v is shorter than the clock of a store; a bare number counts nanoseconds: multiply by time.Second", f.value)
		}
	}
	if t.Absolute > 0 && t.Idle > t.Absolute {
		add("IdleTimeout", "%v is longer than AbsoluteTimeout %v so it would never apply; write at most that", t.Idle, t.Absolute)
	}
	if t.Absolute > 0 && t.MaxAge > t.Absolute {
		add("Cookie.MaxAge", "%v is longer than AbsoluteTimeout %v: the browser would keep the cookie of a session that has ended; write at most that", t.MaxAge, t.Absolute)
	}
	for _, f := range []struct {
		name        string
		value       time.Duration
		consequence string
		usual       time.Duration
	}{
		{"StoreLimits.LoadTimeout", t.Load, "fail every load", t.DefaultLoad},
		{"StoreLimits.RecheckInterval", t.Recheck, "never see that a session has ended", t.DefaultCheck},
		{"StoreLimits.SaveTimeout", t.Save, "fail every save", t.DefaultSave},
	} {
		if f.value < 0 {
			add(f.name, "%v would %s; write a positive duration, or 0 for %v", f.value, f.consequence, f.usual)
		}
	}
	if idle := t.usualIdle(); idle > 0 && t.Touch >= idle {
		add("StoreLimits.TouchInterval", "%v is not shorter than the idle timeout %v: sessions in use would expire; write at most a half of it, or 0 for a tenth", t.Touch, idle)
	}
	if t.MaxAge > 0 && t.Touch >= t.MaxAge && t.CookieIsSent {
		add("StoreLimits.TouchInterval", "%v is not shorter than Cookie.MaxAge %v: the browser would drop the cookie of a session in use; write at most a half of it, or 0 for a tenth", t.Touch, t.MaxAge)
	}
	return errors.Join(errs...)
}

// usualIdle returns the idle timeout of a session that has not set its own; zero or less
// means none.
func (t *Times) usualIdle() time.Duration {
	switch {
	case t.Idle != 0:
		return t.Idle
	case t.MaxAge > 0:
		return t.MaxAge
	case t.NoUsualIdle:
		return 0
	}
	return t.DefaultIdle
}

// Name checks the cookie's name. "" is the default, which is not checked.
func Name(name string) error {
	if name != "" && cookie.ValidName(name) != nil {
		return Refuse("Name", "%q is not a cookie name (RFC 6265 section 4.1.1); write letters, digits, - and _", name)
	}
	return nil
}

// Cookie is a cookie as a Config describes it.
type Cookie struct {
	Name       string
	Attributes cookie.Attributes
	MaxAge     time.Duration
	HasDate    bool // it expires at a fixed date
	Unknown    bool // an attribute is none of the package's constants
}

// CheckPrefix checks the attributes that the name's prefix demands.
func (c *Cookie) CheckPrefix() error {
	host := jar.HasPrefix(c.Name, "__host-")
	switch a := &c.Attributes; {
	case (host || jar.HasPrefix(c.Name, "__secure-")) && !a.Secure:
		return Refuse("Name", "browsers refuse %q unless the cookie is Secure; set Cookie.Secure to SecureAlways, or write a name without the prefix", c.Name)
	case host && a.Domain != "":
		return Refuse("Cookie.Domain", "browsers refuse a __Host- cookie with a Domain; leave it out, or write a Name that begins with __Secure-")
	case host && a.Path != "/":
		return Refuse("Cookie.Path", "browsers refuse a __Host- cookie unless its Path is /; leave it out, or write a Name that begins with __Secure-")
	}
	return nil
}

// Check checks the attributes.
func (c *Cookie) Check() error {
	var errs []error
	add := func(field, format string, args ...any) { errs = append(errs, Refuse(field, format, args...)) }
	a := &c.Attributes
	if c.MaxAge < 0 && c.MaxAge != lifetime.UntilClosed {
		add("Cookie.MaxAge", "%v would expire every session at once; write a positive duration, or 0 for until the browser closes", c.MaxAge)
	}
	if c.MaxAge > 0 && c.MaxAge < time.Millisecond {
		add("Cookie.MaxAge", "%v: a bare number counts nanoseconds, and express-session's milliseconds; write for example 7*24*time.Hour", c.MaxAge)
	}
	if c.MaxAge > maxCookieAge {
		add("Cookie.MaxAge", "%v: browsers keep a cookie for 400 days at most (RFC 6265bis section 5.5); write at most that", c.MaxAge)
	}
	if c.MaxAge != 0 && c.HasDate {
		add("Cookie.Expires", "given beside MaxAge; write one of them")
	}
	if a.Path != "" && a.Path[0] != '/' {
		add("Cookie.Path", "%q does not begin with a slash, so browsers would ignore it; write /%s", a.Path, a.Path)
	}
	if a.SameSite == cookie.SameSiteNone && !a.Secure {
		add("Cookie.SameSite", "browsers refuse SameSite=None without Secure; set Cookie.Secure to SecureAlways, or write SameSiteLax")
	}
	if a.Partitioned && !a.Secure {
		add("Cookie.Partitioned", "browsers refuse Partitioned without Secure; set Cookie.Secure to SecureAlways")
	}
	if c.Unknown {
		add("Cookie", "Secure, SameSite or Priority is not one of this package's constants; write one of them (they are not net/http's)")
	}
	if err := a.Validate(); err != nil {
		add("Cookie", "%v", err)
	}
	return errors.Join(errs...)
}

// DefaultName returns the name of a cookie that has none. differs says that the attributes
// are not the same for all requests.
func DefaultName(a *cookie.Attributes, differs bool) string {
	switch {
	case differs || !a.Secure:
		return "sid"
	case a.Domain == "" && a.Path == "/":
		return "__Host-sid"
	}
	return "__Secure-sid"
}

// Former checks a former cookie: as it is written, and full, with its defaults. now is the
// cookie that is sent now; nil if that differs by request.
func Former(field string, written, full jar.Cookie, now *jar.Cookie) error {
	a := cookie.Attributes{Domain: written.Domain, Path: written.Path}
	if err := a.Validate(); err != nil {
		return Refuse(field, "%v", err)
	}
	switch {
	case written.Path != "" && written.Path[0] != '/':
		return Refuse(field+".Path", "%q does not begin with a slash; write the path that the cookie had", written.Path)
	case written.Name != "" && cookie.ValidName(written.Name) != nil:
		return Refuse(field+".Name", "%q is not a cookie name (RFC 6265 section 4.1.1); write the name that the cookie had", written.Name)
	case jar.HasPrefix(full.Name, "__host-") && (full.Domain != "" || full.Path != "/"):
		return Refuse(field, "browsers keep no cookie %q with a Domain or a Path other than /; write what the cookie was", full.Name)
	case now != nil && full == *now:
		return Refuse(field, "is the cookie as it is now; write what it was before, or leave it out")
	}
	return nil
}
