package web

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
	"github.com/nestsession/session/internal/backoff"
)

// identityHeaders are all that a client must not send to an application.
var identityHeaders = []string{headerUser, headerUserID, headerSession, headerExpires}

// identify sets the headers that say who the user is.
func identify(h http.Header, u *users.User, s *Session) {
	h.Set(headerUser, url.PathEscape(u.Username))
	h.Set(headerUserID, strconv.FormatInt(u.ID, 10))
	h.Set(headerSession, s.Digest())
	if at := s.Expires(); !at.IsZero() {
		h.Set(headerExpires, at.UTC().Format(time.RFC3339))
	}
}

// Gate passes the requests of users who are logged in on to an application, with headers that say
// who the user is, and without those that the client has sent. It answers all others as /auth?redirect does.
// When the session ends, on this server or another, so does the context of its requests.
func (a *App) Gate(application http.Handler) http.Handler {
	return a.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *Session) {
		if _, err := a.recheck(r.Context(), s); err != nil {
			a.setProtection(w, r)
			a.writeProblem(w, r, a.problemOf(r, err), a.unavailable(r))
			return
		}
		u := a.userOf(s)
		if u == nil {
			a.setProtection(w, r)
			// Whether the login may lead back there is for the login to decide.
			a.refuseVisitor(w, r, client.Original{Method: r.Method, URL: a.urlOf(r)}, true)
			return
		}
		ctx, stop := s.NotifyContext(r.Context())
		defer stop()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer a.followAccountOf(ctx, s, cancel)()
		r = r.Clone(ctx)
		r.Trailer = nil // some applications take them for headers
		maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return saysWho(name) })
		for i, line := range r.Header["Connection"] {
			// What it names goes no further than this server, and so would what identify sets.
			names := slices.DeleteFunc(strings.Split(line, ","), saysWho)
			r.Header["Connection"][i] = strings.Join(names, ",")
		}
		identify(r.Header, u, s)
		application.ServeHTTP(w, r)
	})
}

// saysWho reports whether an application may take a header for one of ours. To many Remote_User is
// the same as Remote-User, and to CGI so is Remote.User.
func saysWho(name string) bool {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.TrimSpace(name))
	return slices.Contains(identityHeaders, http.CanonicalHeaderKey(name))
}

// urlOf returns the address that a browser shows for a request.
func (a *App) urlOf(r *http.Request) string {
	scheme := "http"
	if a.proxies.Secure(r) {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI()
}

// followAccountOf ends a request that takes long once its account is disabled or has another password. Call
// what it returns at the end of the request.
func (a *App) followAccountOf(ctx context.Context, s *Session, end context.CancelCauseFunc) (stop func() bool) {
	return time.AfterFunc(accountInterval, func() {
		for {
			if ended, _ := a.recheck(ctx, s); ended {
				end(session.ErrRevoked)
				return
			}
			if !backoff.Pause(ctx, accountInterval) {
				return
			}
		}
	}).Stop
}

// accountInterval is how often the account of a request that takes long is looked at.
const accountInterval = 2 * time.Second

// Refuse answers in place of an application that does not.
func (a *App) Refuse(w http.ResponseWriter, r *http.Request, status int) {
	t := text.For(r.Header)
	p := &problem{Status: status, Text: t.NoApplication}
	switch status {
	case http.StatusGatewayTimeout:
		p.Text = t.SlowApplication
	case http.StatusRequestTimeout:
		p.Text = t.StalledUpload
	}
	a.setProtection(w, r)
	a.writeProblem(w, r, p, view{Title: t.UnavailablePage})
}
