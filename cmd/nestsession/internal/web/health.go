package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// healthTimeout is shorter than the timeouts of the usual probes.
const healthTimeout = 2 * time.Second

// health says whether users and sessions can be reached and written. It opens no session.
// The reasons are not in the answer: the log has them, once a change.
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

// ask pings, and answers when ctx ends at the latest.
func ask(ctx context.Context, ping func(context.Context) error) <-chan error {
	answer := make(chan error, 2)
	go func() { answer <- ping(ctx) }()
	context.AfterFunc(ctx, func() { answer <- context.Cause(ctx) })
	return answer
}

// state words it, and logs it where it is another one than before.
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
