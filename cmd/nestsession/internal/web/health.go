package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// healthTimeout is shorter than the timeouts of common probes.
const healthTimeout = 2 * time.Second

// health reports whether users and sessions can be reached and written. It opens no session. The
// response has no reasons; the log has them, once for each change.
func (a *App) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	users, sessions := ask(ctx, a.users.Ping), ask(ctx, a.sessions.Ping)
	answer := struct {
		Status   string `json:"status"`
		Users    string `json:"users"`
		Sessions string `json:"sessions"`
	}{"ok", a.state(ctx, "users", <-users), a.state(ctx, "sessions", <-sessions)}
	status := http.StatusOK
	if answer.Users != "ok" || answer.Sessions != "ok" {
		answer.Status, status = "unavailable", http.StatusServiceUnavailable
	}
	a.writeJSON(w, r, status, answer)
}

// Unavailable answers any request with 503, while users and sessions cannot be reached.
func (a *App) Unavailable(w http.ResponseWriter, r *http.Request) {
	a.setProtection(w, r)
	a.writeProblem(w, r, &problem{Status: http.StatusServiceUnavailable, After: retrySession, Text: text.For(r.Header).NoSession}, a.unavailable(r))
}

// ask pings, and returns when ctx ends at the latest.
func ask(ctx context.Context, ping func(context.Context) error) <-chan error {
	answer := make(chan error, 2)
	go func() { answer <- ping(ctx) }()
	context.AfterFunc(ctx, func() { answer <- context.Cause(ctx) })
	return answer
}

// state returns the state in words, and logs it if it has changed.
func (a *App) state(ctx context.Context, what string, err error) string {
	_, wasBad := a.unhealthy.Load(what)
	if err == nil {
		if wasBad {
			a.unhealthy.Delete(what)
			a.log.InfoContext(ctx, "healthy again", slog.String("what", what))
		}
		return "ok"
	}
	if _, known := a.unhealthy.LoadOrStore(what, true); !known {
		a.log.ErrorContext(ctx, "not healthy", slog.String("what", what), slog.Any("error", err))
	}
	return "unavailable"
}
