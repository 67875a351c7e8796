package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/jar"
)

const (
	minSecretBytes = 16
	// maxCookieAge is what browsers cut a cookie's lifetime to (RFC 6265bis section 5.5).
	maxCookieAge = 400 * 24 * time.Hour
)

// refuse returns an error of New: the field, what is wrong, and what to write instead.
func refuse(field, format string, args ...any) error {
	return fmt.Errorf("session: Config.%s: %s", field, fmt.Sprintf(format, args...))
}

// withDefaults fills in the defaults. It expects a Config that validate accepts.
func (c Config) withDefaults() Config {
	c.FormerCookies = slices.Clone(c.FormerCookies)
	for i := range c.FormerCookies {
		c.FormerCookies[i] = c.former(c.FormerCookies[i])
	}
	if c.Name == "" {
		c.Name = c.defaultName()
	}
	if c.Scope == "" {
		c.Scope = cookie.BareName(c.Name)
	}
	if c.IdleTimeout == 0 && c.Cookie.MaxAge == 0 && c.Cookie.Expires.IsZero() && c.CookieFunc == nil {
		c.IdleTimeout = DefaultIdleTimeout
	}
	if c.AbsoluteTimeout == 0 {
		c.AbsoluteTimeout = max(DefaultAbsoluteTimeout, c.IdleTimeout, c.Cookie.MaxAge)
	}
	if c.RenewGrace == 0 {
		c.RenewGrace = DefaultRenewGrace
	}
	if c.LoadTimeout == 0 {
		c.LoadTimeout = DefaultLoadTimeout
	}
	if c.SaveTimeout == 0 {
		c.SaveTimeout = DefaultSaveTimeout
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// former returns a former cookie with its defaults. If Name is empty there and in the
// Config, it is the default name of such a cookie: "__Host-sid" before a Domain was added.
func (c *Config) former(f FormerCookie) FormerCookie {
	if f.Path == "" {
		f.Path = "/"
	}
	if f.Name == "" {
		then := *c
		then.Cookie.Domain, then.Cookie.Path = f.Domain, f.Path
		if f.Name = c.Name; f.Name == "" {
			f.Name = then.defaultName()
		}
	}
	f.Domain = jar.DomainOf(f.Domain)
	return f
}

func (c *Config) defaultName() string {
	switch {
	case c.CookieFunc != nil || c.Cookie.Secure != SecureAlways:
		return "sid"
	case c.Cookie.Domain == "" && (c.Cookie.Path == "" || c.Cookie.Path == "/"):
		return "__Host-sid"
	}
	return "__Secure-sid"
}

func (c *Config) validate() error {
	return errors.Join(c.validateSecrets(), c.validateTimes(), c.validateName(), c.validateCookie(), c.validateRest())
}

func (c *Config) validateSecrets() error {
	if len(c.Secrets) == 0 {
		return refuse("Secrets", "none given; write the output of `openssl rand -base64 32`")
	}
	for i, s := range c.Secrets {
		field := fmt.Sprintf("Secrets[%d]", i)
		if s == "" {
			return refuse(field, "empty (is the environment variable set?); write the output of `openssl rand -base64 32`")
		}
		if len(s) < minSecretBytes && !c.Express.InsecureShortSecrets {
			return refuse(field, "%d bytes can be guessed; write at least %d, such as `openssl rand -base64 32` makes, or set Express.InsecureShortSecrets to share cookies with an application that has it", len(s), minSecretBytes)
		}
	}
	return nil
}

func (c *Config) validateTimes() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"IdleTimeout", c.IdleTimeout}, {"AbsoluteTimeout", c.AbsoluteTimeout}} {
		if f.value < 0 && f.value != NoTimeout {
			errs = append(errs, refuse(f.name, "%v is in the past; write a positive duration, or NoTimeout for none", f.value))
		}
		if f.value > 0 && f.value < time.Millisecond {
			errs = append(errs, refuse(f.name, "%v is shorter than the clock of a store; a bare number counts nanoseconds: multiply by time.Second", f.value))
		}
	}
	if c.AbsoluteTimeout > 0 && c.IdleTimeout > c.AbsoluteTimeout {
		errs = append(errs, refuse("IdleTimeout", "%v is longer than AbsoluteTimeout %v so it would never apply; write at most that", c.IdleTimeout, c.AbsoluteTimeout))
	}
	if c.AbsoluteTimeout > 0 && c.Cookie.MaxAge > c.AbsoluteTimeout {
		errs = append(errs, refuse("Cookie.MaxAge", "%v is longer than AbsoluteTimeout %v: the browser would keep the cookie of a session that has ended; write at most that", c.Cookie.MaxAge, c.AbsoluteTimeout))
	}
	if c.LoadTimeout < 0 {
		errs = append(errs, refuse("LoadTimeout", "%v would fail every load; write a positive duration, or 0 for %v", c.LoadTimeout, DefaultLoadTimeout))
	}
	if c.RecheckInterval < 0 {
		errs = append(errs, refuse("RecheckInterval", "%v would never see that a session has ended; write a positive duration, or 0 for %v", c.RecheckInterval, DefaultRecheckInterval))
	}
	if c.SaveTimeout < 0 {
		errs = append(errs, refuse("SaveTimeout", "%v would fail every save; write a positive duration, or 0 for %v", c.SaveTimeout, DefaultSaveTimeout))
	}
	if idle := c.usualIdle(); idle > 0 && c.TouchInterval >= idle {
		errs = append(errs, refuse("TouchInterval", "%v is not shorter than the idle timeout %v: sessions in use would expire; write at most a half of it, or 0 for a tenth", c.TouchInterval, idle))
	}
	if age := c.Cookie.MaxAge; age > 0 && c.TouchInterval >= age && !c.Express.Rules {
		errs = append(errs, refuse("TouchInterval", "%v is not shorter than Cookie.MaxAge %v: the browser would drop the cookie of a session in use; write at most a half of it, or 0 for a tenth", c.TouchInterval, age))
	}
	return errors.Join(errs...)
}

// usualIdle returns the idle timeout of a session that has not set its own; negative means
// none.
func (c *Config) usualIdle() time.Duration {
	switch {
	case c.IdleTimeout != 0:
		return c.IdleTimeout
	case c.Cookie.MaxAge > 0:
		return c.Cookie.MaxAge
	case !c.Cookie.Expires.IsZero() || c.CookieFunc != nil:
		return NoTimeout
	}
	return DefaultIdleTimeout
}

func (c *Config) validateName() error {
	if c.Name == "" {
		return nil
	}
	if err := cookie.ValidName(c.Name); err != nil {
		return refuse("Name", "%q is not a cookie name (RFC 6265 section 4.1.1); write letters, digits, - and _", c.Name)
	}
	if c.CookieFunc != nil {
		return nil
	}
	// User agents match the prefixes whatever the case (RFC 6265bis section 5.7).
	lower := strings.ToLower(c.Name)
	host := strings.HasPrefix(lower, "__host-")
	if (host || strings.HasPrefix(lower, "__secure-")) && c.Cookie.Secure != SecureAlways {
		return refuse("Name", "browsers refuse %q unless the cookie is Secure; set Cookie.Secure to SecureAlways, or write a name without the prefix", c.Name)
	}
	if host && c.Cookie.Domain != "" {
		return refuse("Cookie.Domain", "browsers refuse a __Host- cookie with a Domain; leave it out, or write a Name that begins with __Secure-")
	}
	if host && c.Cookie.Path != "" && c.Cookie.Path != "/" {
		return refuse("Cookie.Path", "browsers refuse a __Host- cookie unless its Path is /; leave it out, or write a Name that begins with __Secure-")
	}
	return nil
}

func (c *Config) validateCookie() error {
	k := &c.Cookie
	if c.CookieFunc != nil {
		if *k != (Cookie{}) {
			return refuse("Cookie", "is not used beside CookieFunc; leave one of them out")
		}
		return nil
	}
	var errs []error
	if k.MaxAge < 0 && k.MaxAge != UntilClosed {
		errs = append(errs, refuse("Cookie.MaxAge", "%v would expire every session at once; write a positive duration, or 0 for until the browser closes", k.MaxAge))
	}
	if k.MaxAge > 0 && k.MaxAge < time.Millisecond {
		errs = append(errs, refuse("Cookie.MaxAge", "%v: a bare number counts nanoseconds, and express-session's milliseconds; write for example 7*24*time.Hour", k.MaxAge))
	}
	if k.MaxAge > maxCookieAge {
		errs = append(errs, refuse("Cookie.MaxAge", "%v: browsers keep a cookie for 400 days at most (RFC 6265bis section 5.5); write at most that", k.MaxAge))
	}
	if k.MaxAge != 0 && !k.Expires.IsZero() {
		errs = append(errs, refuse("Cookie.Expires", "given beside MaxAge; write one of them"))
	}
	if k.Path != "" && k.Path != NoPath && k.Path[0] != '/' {
		errs = append(errs, refuse("Cookie.Path", "%q does not begin with a slash, so browsers would ignore it; write /%s", k.Path, k.Path))
	}
	if k.SameSite == SameSiteNone && k.Secure != SecureAlways {
		errs = append(errs, refuse("Cookie.SameSite", "browsers refuse SameSite=None without Secure; set Cookie.Secure to SecureAlways, or write SameSiteLax"))
	}
	if k.Partitioned && k.Secure != SecureAlways {
		errs = append(errs, refuse("Cookie.Partitioned", "browsers refuse Partitioned without Secure; set Cookie.Secure to SecureAlways"))
	}
	if k.Secure > Insecure || k.SameSite > SameSiteOmit || k.Priority > PriorityHigh {
		errs = append(errs, refuse("Cookie", "Secure, SameSite or Priority is not one of this package's constants; write one of them (they are not net/http's)"))
	}
	a := k.attributes(0)
	if err := a.Validate(); err != nil {
		errs = append(errs, refuse("Cookie", "%v", err))
	}
	return errors.Join(errs...)
}

func (c *Config) validateRest() error {
	var errs []error
	if c.Proxy > ProxyIgnored {
		errs = append(errs, refuse("Proxy", "%d is not one of ProxyUnset, ProxyTrusted and ProxyIgnored", c.Proxy))
	}
	if c.Proxy != ProxyUnset && c.IsSecure != nil {
		errs = append(errs, refuse("IsSecure", "is called only if Proxy is ProxyUnset; leave one of them out"))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, refuse("MaxBytes", "%d would refuse every session; write a positive number of bytes, or 0 for %d", c.MaxBytes, DefaultMaxBytes))
	}
	for i := range c.FormerCookies {
		errs = append(errs, c.validateFormer(fmt.Sprintf("FormerCookies[%d]", i), c.FormerCookies[i]))
	}
	// An id of ours and its signature take 90 bytes; the rest is the name's.
	if len(c.Name)+128 > cookie.MaxSize {
		errs = append(errs, refuse("Name", "%d bytes leave no room for the value: browsers keep at most %d bytes of name and value", len(c.Name), cookie.MaxSize))
	}
	return errors.Join(errs...)
}

func (c *Config) validateFormer(field string, f FormerCookie) error {
	a := cookie.Attributes{Domain: f.Domain, Path: f.Path}
	if err := a.Validate(); err != nil {
		return refuse(field, "%v", err)
	}
	if f.Path != "" && f.Path[0] != '/' {
		return refuse(field+".Path", "%q does not begin with a slash; write the path that the cookie had", f.Path)
	}
	if f.Name != "" && cookie.ValidName(f.Name) != nil {
		return refuse(field+".Name", "%q is not a cookie name (RFC 6265 section 4.1.1); write the name that the cookie had", f.Name)
	}
	f = c.former(f)
	if strings.HasPrefix(strings.ToLower(f.Name), "__host-") && (f.Domain != "" || f.Path != "/") {
		return refuse(field, "browsers keep no cookie %q with a Domain or a Path other than /; write what the cookie was", f.Name)
	}
	now := FormerCookie{c.Name, jar.DomainOf(c.Cookie.Domain), c.Cookie.path(), c.Cookie.Partitioned}
	if now.Name == "" {
		now.Name = c.defaultName()
	}
	if f == now && c.CookieFunc == nil && c.Cookie.Path != NoPath {
		return refuse(field, "is the cookie as it is now; write what it was before, or leave it out")
	}
	return nil
}
