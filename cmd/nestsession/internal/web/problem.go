package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// problem is a response that says what went wrong and what helps.
type problem struct {
	Status int
	Text   string            // a sentence, for the whole request
	Fields map[string]string // texts for single fields, which are shown beside them
	After  time.Duration     // when to try again, as Retry-After

	Elsewhere string // the user whom another application has logged in
}

// MarshalJSON follows RFC 9457, with this API's additional members.
func (p *problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Title  string            `json:"title"`
		Status int               `json:"status"`
		Error  string            `json:"error"`
		Fields map[string]string `json:"fields,omitempty"`

		Elsewhere string `json:"elsewhere,omitempty"`
	}{http.StatusText(p.Status), p.Status, p.Text, p.Fields, p.Elsewhere})
}

// invalid is the problem of fields that cannot be accepted, or nil if there is none.
func invalid(t *text.Text, fields map[string]string) *problem {
	if len(fields) == 0 {
		return nil
	}
	return &problem{Status: http.StatusUnprocessableEntity, Text: t.CheckFields, Fields: fields}
}

// errSession marks errors of a session's own methods.
var errSession = errors.New("web: session")

// errUsers means that it is not known whether a session's user still exists.
var errUsers = errors.New("web: users")

func notLoggedIn(t *text.Text) *problem {
	return &problem{Status: http.StatusUnauthorized, Text: t.NotLoggedIn}
}

// unavailable is the page of a request whose users or sessions cannot be reached.
func (a *App) unavailable(r *http.Request) view {
	t := text.For(r.Header)
	return view{Title: t.UnavailablePage, Links: toStart(t)}
}

// problemOf returns the problem for an error. An unknown error is internal, and only logged.
func (a *App) problemOf(r *http.Request, err error) *problem {
	t := text.For(r.Header)
	var tooMany *throttle.TooMany
	switch {
	case errors.As(err, &tooMany):
		return &problem{Status: http.StatusTooManyRequests, After: tooMany.After,
			Text: fmt.Sprintf(t.TooMany, inWords(t, tooMany.After))}
	case errors.Is(err, passwords.ErrBusy), errors.Is(err, throttle.ErrBusy):
		// By then every caller that waits now has had its turn, or has given up.
		return &problem{Status: http.StatusServiceUnavailable, After: passwords.MaxWait,
			Text: t.Busy}
	}
	level := slog.LevelError
	if r.Context().Err() != nil {
		level = slog.LevelInfo // the client has disconnected
	}
	a.log.Log(r.Context(), level, "request failed", slog.String("route", r.Pattern), slog.Any("error", err))
	if errors.Is(err, errSession) {
		return &problem{Status: http.StatusServiceUnavailable, After: retrySession,
			Text: t.NoSession}
	}
	if errors.Is(err, errUsers) || errors.Is(err, users.ErrUnavailable) || errors.Is(err, throttle.ErrUnavailable) {
		return &problem{Status: http.StatusServiceUnavailable, After: retrySession,
			Text: t.NoAccounts}
	}
	return &problem{Status: http.StatusInternalServerError, Text: t.OurFault}
}

// inWords rounds up, so that a client that waits for this time has waited long enough.
func inWords(t *text.Text, d time.Duration) string {
	if n := int(math.Ceil(d.Seconds())); n <= 90 {
		return t.Seconds(n)
	}
	return t.Minutes(int(math.Ceil(d.Minutes())))
}

// writeHead sets the header fields of a problem, whatever its body.
func (p *problem) writeHead(h http.Header) {
	if p.After > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.After.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		// RFC 9110 requires a challenge with every 401. Browsers ignore an unknown scheme, and
		// leave the error to the page.
		h.Set("WWW-Authenticate", `Cookie realm="nestsession"`)
	}
}
