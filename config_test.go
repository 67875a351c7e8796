package session_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
)

// New refuses what cannot work: the error names the field and says what to write.
func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	fn := func(*http.Request) session.Cookie { return session.Cookie{} }
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		cfg           session.Config
		field, advice string
	}{
		"no secret":    {session.Config{Secrets: []string{}}, "Secrets", "openssl rand"},
		"empty secret": {session.Config{Secrets: []string{secret, ""}}, "Secrets[1]", "environment variable"},
		"short secret": {session.Config{Secrets: []string{"keyboard cat"}}, "Secrets[0]", "InsecureShortSecrets"},

		"idle in the past":          {session.Config{IdleTimeout: -time.Hour}, "IdleTimeout", "NoTimeout"},
		"idle in bare numbers":      {session.Config{IdleTimeout: 3600}, "IdleTimeout", "time.Second"},
		"absolute in the past":      {session.Config{AbsoluteTimeout: -2}, "AbsoluteTimeout", "NoTimeout"},
		"absolute in bare numbers":  {session.Config{AbsoluteTimeout: 86400}, "AbsoluteTimeout", "time.Second"},
		"idle beyond absolute":      {session.Config{IdleTimeout: 2 * day, AbsoluteTimeout: day}, "IdleTimeout", "at most"},
		"cookie beyond absolute":    {session.Config{Cookie: session.Cookie{MaxAge: 2 * day}, AbsoluteTimeout: day}, "Cookie.MaxAge", "at most"},
		"save in the past":          {session.Config{StoreLimits: session.StoreLimits{SaveTimeout: -1}}, "StoreLimits.SaveTimeout", "positive"},
		"touch beyond idle":         {session.Config{StoreLimits: session.StoreLimits{TouchInterval: 2 * time.Hour}, IdleTimeout: time.Hour}, "StoreLimits.TouchInterval", "a half"},
		"touch beyond default idle": {session.Config{StoreLimits: session.StoreLimits{TouchInterval: 2 * day}}, "StoreLimits.TouchInterval", "a half"},
		"touch beyond max age":      {session.Config{StoreLimits: session.StoreLimits{TouchInterval: time.Hour}, Cookie: session.Cookie{MaxAge: time.Hour}}, "StoreLimits.TouchInterval", "a half"},

		"name with a space":         {session.Config{Name: "my session"}, "Name", "letters"},
		"name that injects":         {session.Config{Name: "sid; Domain=evil"}, "Name", "letters"},
		"name beyond the limit":     {session.Config{Name: strings.Repeat("n", 4000)}, "Name", "4096"},
		"__Host- with a domain":     {session.Config{Name: "__Host-sid", Cookie: session.Cookie{Domain: "shop.test"}}, "Cookie.Domain", "__Secure-"},
		"__Host- with a path":       {session.Config{Name: "__Host-sid", Cookie: session.Cookie{Path: "/app"}}, "Cookie.Path", "__Secure-"},
		"__Host- without a path":    {session.Config{Name: "__Host-sid", Cookie: session.Cookie{Path: session.NoPath}}, "Cookie.Path", "__Secure-"},
		"__Host- not secure":        {session.Config{Name: "__Host-sid", Cookie: session.Cookie{Secure: session.Insecure}}, "Name", "SecureAlways"},
		"__host- in other case":     {session.Config{Name: "__hOST-sid", Cookie: session.Cookie{Domain: "shop.test"}}, "Cookie.Domain", "__Secure-"},
		"__Secure- not secure":      {session.Config{Name: "__Secure-sid", Cookie: session.Cookie{Secure: session.SecureAuto}}, "Name", "SecureAlways"},
		"max age in the past":       {session.Config{Cookie: session.Cookie{MaxAge: -time.Hour}}, "Cookie.MaxAge", "positive"},
		"max age in milliseconds":   {session.Config{Cookie: session.Cookie{MaxAge: 604800}}, "Cookie.MaxAge", "7*24*time.Hour"},
		"max age beyond 400 days":   {session.Config{Cookie: session.Cookie{MaxAge: 500 * day}}, "Cookie.MaxAge", "400 days"},
		"max age and a date":        {session.Config{Cookie: session.Cookie{MaxAge: day, Expires: time.Now()}}, "Cookie.Expires", "one of them"},
		"path without a slash":      {session.Config{Cookie: session.Cookie{Path: "app"}}, "Cookie.Path", "/app"},
		"path that injects":         {session.Config{Cookie: session.Cookie{Path: "/; Domain=evil"}}, "Cookie", "Path"},
		"domain that injects":       {session.Config{Cookie: session.Cookie{Domain: "a; Path=/"}}, "Cookie", "Domain"},
		"SameSite=None, not secure": {session.Config{Cookie: session.Cookie{SameSite: session.SameSiteNone, Secure: session.SecureAuto}}, "Cookie.SameSite", "SameSiteLax"},
		"Partitioned, not secure":   {session.Config{Cookie: session.Cookie{Partitioned: true, Secure: session.Insecure}}, "Cookie.Partitioned", "SecureAlways"},
		"net/http's SameSite":       {session.Config{Cookie: session.Cookie{SameSite: session.SameSite(http.SameSiteNoneMode) + 9}}, "Cookie", "constants"},
		"unknown Secure":            {session.Config{Cookie: session.Cookie{Secure: 9}}, "Cookie", "constants"},
		"unknown Priority":          {session.Config{Cookie: session.Cookie{Priority: 9}}, "Cookie", "constants"},
		"two cookies":               {session.Config{CookieFunc: fn, Cookie: session.Cookie{MaxAge: day}}, "Cookie", "one of them"},

		"negative size": {session.Config{MaxBytes: -1}, "MaxBytes", "positive"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.cfg.Secrets == nil {
				c.cfg.Secrets = []string{secret}
			}
			m, err := session.New[account](c.cfg)
			if err == nil {
				_ = m.Close()
				t.Fatal("was accepted")
			}
			if m != nil {
				t.Error("a manager came with the error")
			}
			if got := err.Error(); !strings.Contains(got, "session: Config."+c.field+": ") || !strings.Contains(got, c.advice) {
				t.Errorf("the error is %q, want the field %s and the advice %q", got, c.field, c.advice)
			}
			if got := err.Error(); strings.Contains(got, secret) || strings.Contains(got, "keyboard cat") {
				t.Errorf("the error holds the secret: %q", got)
			}
		})
	}
}

// What is unusual and can work is accepted.
func TestNewAcceptsWhatCanWork(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, cfg := range map[string]session.Config{
		"zero":                      {},
		"several secrets":           {Secrets: []string{secret, secret + "2"}},
		"a short secret, knowingly": {Secrets: []string{"cat"}, Express: session.ExpressOptions{InsecureShortSecrets: true}},
		"no timeouts":               {IdleTimeout: session.NoTimeout, AbsoluteTimeout: session.NoTimeout},
		"400 days":                  {Cookie: session.Cookie{MaxAge: 400 * day}},
		"idle beyond 30 days":       {IdleTimeout: 90 * day},
		"every visit":               {StoreLimits: session.StoreLimits{TouchInterval: -1}},
		"no grace":                  {RenewGrace: -1},
		"a prefix":                  {Name: "__Secure-id", Cookie: session.Cookie{Domain: "shop.test"}},
		"a domain with a dot":       {Cookie: session.Cookie{Domain: ".shop.test"}},
		"a function":                {CookieFunc: func(*http.Request) session.Cookie { return session.Cookie{} }},
		"SameSite=None":             {Cookie: session.Cookie{SameSite: session.SameSiteNone, Partitioned: true}},
		"a date":                    {Cookie: session.Cookie{Expires: time.Now().Add(day)}},
		"a plain name, insecure":    {Name: "sid", Cookie: session.Cookie{Secure: session.Insecure}},
		"__Host- and its path":      {Name: "__Host-id", Cookie: session.Cookie{Path: "/"}},
		"seldom, with a function":   {StoreLimits: session.StoreLimits{TouchInterval: 48 * time.Hour}, CookieFunc: func(*http.Request) session.Cookie { return session.Cookie{MaxAge: 90 * day} }},
		"seldom, with a date":       {StoreLimits: session.StoreLimits{TouchInterval: 48 * time.Hour}, Cookie: session.Cookie{Expires: time.Now().Add(90 * day)}},
		"seldom, without a timeout": {StoreLimits: session.StoreLimits{TouchInterval: 48 * time.Hour}, IdleTimeout: session.NoTimeout},
		"until closed":              {Cookie: session.Cookie{MaxAge: session.UntilClosed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManager[account](t, cfg)
			b := newBrowser()
			login(t, m, b, "ada")
			if who := whoami(m, b); who != "ada" {
				t.Errorf("logged in as %q", who)
			}
		})
	}
}

// All that is wrong is said at once.
func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := session.New[cookied](session.Config{IdleTimeout: -5, Name: "a b", MaxBytes: -1})
	if !errors.Is(err, session.ErrReservedKey) {
		t.Errorf("New: %v", err)
	}
	for _, field := range []string{"Secrets", "IdleTimeout", "Name", "MaxBytes"} {
		if !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

// What the caller does to its Config afterwards does not reach the manager.
func TestNewCopiesTheConfig(t *testing.T) {
	t.Parallel()
	cfg := session.Config{Secrets: []string{secret}, Express: session.ExpressOptions{ReservedKeys: []string{"admin"}}}
	m := newManager[map[string]any](t, cfg)
	cfg.Secrets[0], cfg.Express.ReservedKeys[0] = "another secret of enough bytes", "user"
	b := newBrowser()
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, "user", "ada")
	})
	n := newManager[map[string]any](t, session.Config{Secrets: []string{secret}})
	if b.cookie() == "" {
		t.Fatal("the session was not saved")
	}
	do(n, b, func(http.ResponseWriter, *http.Request, *session.Session[map[string]any]) {})
	res := do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, "admin", true)
	})
	if res.StatusCode != http.StatusInternalServerError {
		t.Errorf("a reserved key was answered %d", res.StatusCode)
	}
}

// Close closes the store that New made, and not the caller's; it may be called again.
func TestClose(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "ada")
	if err := m.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if who := whoami(m, b); who != "ada" {
		t.Errorf("the caller's store was closed: logged in as %q", who)
	}
	own := newManager[account](t, session.Config{})
	login(t, own, b, "ada")
	for range 2 {
		if err := own.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	res := do(own, b, func(http.ResponseWriter, *http.Request, *session.Session[account]) { t.Error("the handler ran") })
	wantErrorAlone(t, res, http.StatusServiceUnavailable)
}
