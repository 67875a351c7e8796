package session

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/check"
	"github.com/nestsession/session/internal/jar"
)

// withDefaults fills in the defaults. It expects a Config that validate accepts.
func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, c.defaultName())
	c.Scope = cmp.Or(c.Scope, cookie.BareName(c.Name))
	if c.IdleTimeout == 0 && c.Cookie.MaxAge == 0 && c.Cookie.Expires.IsZero() && c.CookieFunc == nil {
		c.IdleTimeout = DefaultIdleTimeout
	}
	if c.AbsoluteTimeout == 0 {
		c.AbsoluteTimeout = max(DefaultAbsoluteTimeout, c.IdleTimeout, c.Cookie.MaxAge)
	}
	c.RenewGrace = cmp.Or(c.RenewGrace, DefaultRenewGrace)
	c.StoreLimits.LoadTimeout = cmp.Or(c.StoreLimits.LoadTimeout, DefaultLoadTimeout)
	c.StoreLimits.SaveTimeout = cmp.Or(c.StoreLimits.SaveTimeout, DefaultSaveTimeout)
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// former returns a former cookie with its defaults. If Name is empty there and in the
// Config, it is the default name of such a cookie: "__Host-sid" before a Domain was added.
func (c *Config) former(f FormerCookie) jar.Cookie {
	if f.Path == "" {
		f.Path = "/"
	}
	if f.Name == "" {
		then := *c
		then.Cookie.Domain, then.Cookie.Path = f.Domain, f.Path
		f.Name = cmp.Or(c.Name, then.defaultName())
	}
	f.Domain = jar.DomainOf(f.Domain)
	return jar.Cookie(f)
}

// formerCookies returns FormerCookies with their defaults. Name is as the caller of New has
// written it.
func (c *Config) formerCookies() (all []jar.Cookie) {
	for _, f := range c.FormerCookies {
		all = append(all, c.former(f))
	}
	return all
}

func (c *Config) defaultName() string {
	a := c.Cookie.attributes(0)
	return check.DefaultName(&a, c.CookieFunc != nil)
}

func (c *Config) validate() error {
	k := &c.Cookie
	times := check.Times{
		Idle: c.IdleTimeout, Absolute: c.AbsoluteTimeout, Touch: c.StoreLimits.TouchInterval, Load: c.StoreLimits.LoadTimeout, Save: c.StoreLimits.SaveTimeout,
		Recheck: c.StoreLimits.RecheckInterval, MaxAge: k.MaxAge, NoTimeout: NoTimeout, DefaultIdle: DefaultIdleTimeout,
		DefaultLoad: DefaultLoadTimeout, DefaultSave: DefaultSaveTimeout, DefaultCheck: DefaultRecheckInterval,
		NoUsualIdle: !k.Expires.IsZero() || c.CookieFunc != nil, CookieIsSent: !c.Express.Rules,
	}
	errs := []error{check.Secrets(c.Secrets, c.Express.InsecureShortSecrets), times.Check(), check.Name(c.Name)}
	switch {
	case c.CookieFunc == nil:
		described := check.Cookie{
			Name: c.Name, Attributes: k.attributes(0), MaxAge: k.MaxAge, HasDate: !k.Expires.IsZero(),
			Unknown: k.Secure > Insecure || k.SameSite > SameSiteOmit || k.Priority > PriorityHigh,
		}
		if errs[2] == nil {
			errs[2] = described.CheckPrefix()
		}
		errs = append(errs, described.Check())
	case *k != (Cookie{}):
		errs = append(errs, check.Refuse("Cookie", "is not used beside CookieFunc; leave one of them out"))
	}
	return errors.Join(append(errs, c.validateRest()...)...)
}

func (c *Config) validateRest() (errs []error) {
	errs = append(errs, c.MaxPerOwner.limit.Check(c.Store))
	if c.MaxBytes < 0 {
		errs = append(errs, check.Refuse("MaxBytes", "%d would refuse every session; write a positive number of bytes, or 0 for %d", c.MaxBytes, DefaultMaxBytes))
	}
	if c.Seal > SealOnly {
		errs = append(errs, check.Refuse("Seal", "%d is not one of SealOff, SealReads, SealWrites and SealOnly", c.Seal))
	}
	if c.Seal != SealOff && (c.Express.Rules || c.Express.InsecurePlainIDs || len(c.Express.ReservedKeys) > 0) {
		errs = append(errs, check.Refuse("Seal", "does not work with Express.Rules, Express.InsecurePlainIDs and Express.ReservedKeys, because express-session "+
			"cannot read sealed data, and plain ids are the keys to them; leave Seal at SealOff"))
	}
	_, err := c.header()
	errs = append(errs, err) // nil counts for nothing
	var now *jar.Cookie
	if c.CookieFunc == nil && c.Cookie.Path != NoPath {
		k := c.Cookie.named(cmp.Or(c.Name, c.defaultName()))
		now = &k
	}
	for i, f := range c.FormerCookies {
		errs = append(errs, check.Former(fmt.Sprintf("FormerCookies[%d]", i), jar.Cookie(f), c.former(f), now))
	}
	// An id of ours and its signature take 90 bytes; the rest is the name's.
	if len(c.Name)+128 > cookie.MaxSize {
		errs = append(errs, check.Refuse("Name", "%d bytes leave no room for the value: browsers keep at most %d bytes of name and value", len(c.Name), cookie.MaxSize))
	}
	return errs
}
