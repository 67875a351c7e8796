package engine

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Data is the data of the scenarios' sessions.
type Data = map[string]any

// Manager serves them.
type Manager = session.Manager[Data]

// NewManager returns the manager for a layer's options. Fixed dates of cookies are relative to
// start; with sets the rest of the configuration. If New refuses a cookie that express-session
// accepts, the cookie is given by a function of the request, which New cannot check. If New refuses
// that too, its error is returned.
func NewManager(o *scenario.Options, start time.Time, with func(*session.Config)) (*Manager, error) {
	cfg := express.Config(o.Secrets...)
	cfg.Name = o.Name
	cfg.Rolling, cfg.Express.Resave, cfg.Express.SaveUninitialized = o.Rolling, o.Resave, o.SaveUninitialized
	if o.Proxy != nil && *o.Proxy {
		cfg.IsSecure = session.ForwardedHTTPS
	}
	with(&cfg)
	rules := []scenario.CookieRule{{Cookie: o.Cookie}}
	if o.CookieByPath != nil {
		rules = o.CookieByPath
	}
	for _, r := range rules {
		if _, err := cookieOf(baseCookie, r.Cookie, start); err != nil {
			return nil, err
		}
	}
	if o.CookieByPath == nil {
		cfg.Cookie, _ = cookieOf(baseCookie, o.Cookie, start)
		if m, err := session.New[Data](cfg); err == nil {
			return m, nil
		}
	}
	cfg.Cookie = session.Cookie{}
	cfg.CookieFunc = func(r *http.Request) session.Cookie {
		c, _ := cookieOf(baseCookie, o.CookieFor(rawPath(r)), start)
		return c
	}
	return session.New[Data](cfg)
}

// newManager calls NewManager for a layer of this world.
func (w *World) newManager(l scenario.Layer) (*Manager, error) {
	return NewManager(&l.Options, w.scenario.Start, func(cfg *session.Config) {
		cfg.Store = w.store(l.Store)
		cfg.GenID = w.newID
		cfg.Now = w.Now
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.OnEvent = w.onEvent
		cfg.ErrorHandler = w.answerError
		if l.Options.Proxy == nil {
			cfg.IsSecure = w.frameworkSaysSecure
		}
	})
}

// frameworkSaysSecure is Express's req.secure under "trust proxy".
func (w *World) frameworkSaysSecure(r *http.Request) bool {
	if !w.scenario.TrustProxy {
		return false
	}
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.TrimSpace(proto) == "https"
}

// rawPath returns the path as it is in the request line.
func rawPath(r *http.Request) string { return scenario.TargetPath(r.RequestURI) }

// baseCookie is a cookie without any options.
var baseCookie = session.Cookie{Secure: session.Insecure, SameSite: session.SameSiteOmit}

// cookieOf applies settings to a cookie, in order. The error names the setting that the library's
// types cannot express.
func cookieOf(c session.Cookie, set scenario.CookieOptions, now time.Time) (session.Cookie, error) {
	for _, o := range set {
		if err := assign(&c, o, now); err != nil {
			return c, fmt.Errorf("cookie %s: %w", o.Name, err)
		}
	}
	return c, nil
}

func assign(c *session.Cookie, o scenario.CookieOption, now time.Time) (err error) {
	text, _ := o.Value.(string)
	on := o.Value == true
	switch o.Name {
	case "path":
		if c.Path = text; text == "" {
			c.Path = session.NoPath
		}
	case "domain":
		c.Domain = text
	case "maxAge":
		c.Expires = time.Time{}
		c.MaxAge, err = maxAgeOf(o.Value)
	case "expires":
		c.MaxAge, err = 0, nil
		c.Expires = time.Time{}
		if d, isDate := o.Value.(*scenario.Date); isDate {
			t, ok := d.Time(now)
			if !ok {
				return fmt.Errorf("%q is no date", d.At)
			}
			c.Expires = t
		} else {
			c.MaxAge, err = maxAgeOf(o.Value)
		}
	case "httpOnly":
		c.InsecureScriptAccess = !on
	case "secure":
		switch {
		case on:
			c.Secure = session.SecureAlways
		case text == "auto":
			c.Secure = session.SecureAuto
		default:
			c.Secure = session.Insecure
		}
	case "partitioned":
		c.Partitioned = on
	case "sameSite":
		c.SameSite, err = sameSiteOf(o.Value)
	case "priority":
		c.Priority, err = priorityOf(text)
	default:
		return fmt.Errorf("unknown")
	}
	return err
}

// maxAgeOf converts a number of ms, false or nil (until the browser closes) to the library's
// MaxAge. There, zero means the default, so 0 ms becomes the shortest duration.
func maxAgeOf(v any) (time.Duration, error) {
	if v == nil {
		return 0, nil
	}
	ms, isNumber := v.(float64)
	if !isNumber {
		return session.UntilClosed, nil
	}
	if ms == 0 {
		return 1, nil
	}
	if math.Abs(ms) > float64(math.MaxInt64/time.Millisecond) {
		return 0, fmt.Errorf("%v ms are more than a duration holds", ms)
	}
	return scenario.Milliseconds(ms), nil
}

func sameSiteOf(v any) (session.SameSite, error) {
	text, _ := v.(string)
	switch {
	case v == true || strings.EqualFold(text, "strict"):
		return session.SameSiteStrict, nil
	case text == "": // false and null as well
		return session.SameSiteOmit, nil
	case text == "auto":
		return session.SameSiteAuto, nil
	case strings.EqualFold(text, "lax"):
		return session.SameSiteLax, nil
	case strings.EqualFold(text, "none"):
		return session.SameSiteNone, nil
	}
	return session.SameSiteOmit, fmt.Errorf("%q is no SameSite", text)
}

func priorityOf(text string) (session.Priority, error) {
	switch strings.ToLower(text) {
	case "":
		return session.PriorityOmit, nil
	case "low":
		return session.PriorityLow, nil
	case "medium":
		return session.PriorityMedium, nil
	case "high":
		return session.PriorityHigh, nil
	}
	return session.PriorityOmit, fmt.Errorf("%q is no Priority", text)
}
