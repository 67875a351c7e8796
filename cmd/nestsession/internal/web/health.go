package web

import (
	"context"
	"net/http"
	"time"
)

// healthTimeout is within the patience of the usual probes.
const healthTimeout = 2 * time.Second

// health says whether users and sessions can be reached. It declares no session,
// and tells no reasons.
func (a *App) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	state := func(err error) string {
		if err != nil {
			return "unavailable"
		}
		return "ok"
	}
	answer := struct {
		Status   string `json:"status"`
		Users    string `json:"users"`
		Sessions string `json:"sessions"`
	}{"ok", state(a.users.Ping(ctx)), state(a.sessions.Ping(ctx))}
	status := http.StatusOK
	if answer.Users != "ok" || answer.Sessions != "ok" {
		answer.Status, status = "unavailable", http.StatusServiceUnavailable
	}
	a.writeJSON(w, r, status, answer)
}
