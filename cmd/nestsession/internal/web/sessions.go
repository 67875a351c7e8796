package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// listSessions says where the user is logged in (ASVS 7.5.2).
func (a *App) listSessions(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	a.answerList(w, r, s, *u, nil)
}

// answerList answers with the list, and with the problem of the request before, if there is one.
func (a *App) answerList(w http.ResponseWriter, r *http.Request, s *Session, u users.User, p *problem) {
	all, err := a.list(r.Context(), a.ownerOf(u.ID))
	if err != nil {
		a.writeProblem(w, r, a.problemOf(r, err), a.unavailable(r))
		return
	}
	t := text.For(r.Header)
	list := seenBy(t, all, s, a.now())
	v := view{Title: t.YourDevices, Devices: &list, Live: listEventsURL, User: u.ID,
		Links: []link{{Text: t.ToAccount, URL: "/me"}}}
	switch {
	case p != nil:
		a.writeProblem(w, r, p, v)
	case wantsPage(r.Header):
		v.Notice = notice(s)
		a.writePage(w, r, http.StatusOK, v)
	default:
		a.writeJSON(w, r, http.StatusOK, list)
	}
}

// logoutOne ends one session of the user's, who has given the password recently (ASVS 7.5.2).
func (a *App) logoutOne(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	digest := r.PathValue("session")
	if digest == s.Digest() {
		a.logout(w, r, s)
		return
	}
	if !a.confirmed(w, r, s, "/sessions/"+url.PathEscape(digest)+"/logout") {
		return
	}
	ctx, t := r.Context(), text.For(r.Header)
	var found *session.Info[Account]
	for info, err := range a.sessions.List(ctx, a.ownerOf(u.ID)) {
		if err != nil {
			a.writeProblem(w, r, a.problemOf(r, fmt.Errorf("%w: %w", errSession, err)), a.unavailable(r))
			return
		}
		if info.Digest == digest {
			found = &info
			break
		}
	}
	if found == nil {
		a.answerList(w, r, s, *u, &problem{Status: http.StatusNotFound, Text: t.NotThere})
		return
	}
	if err := a.end(ctx, *found); err != nil {
		a.writeProblem(w, r, a.problemOf(r, fmt.Errorf("%w: %w", errSession, err)), a.unavailable(r))
		return
	}
	a.log.InfoContext(ctx, "logged out from another device", slog.Int64("user", u.ID))
	if !wantsPage(r.Header) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.Update(func(d *Account) { d.Notice = fmt.Sprintf(t.DeviceIsOut, deviceName(t, found.Device)) })
	seeOther(w, "/sessions")
}

// logoutOthers ends all other sessions of the user, under the same condition.
func (a *App) logoutOthers(w http.ResponseWriter, r *http.Request, s *Session) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	if !a.confirmed(w, r, s, "/sessions/logout-others") {
		return
	}
	ended, err := a.endOthers(r.Context(), a.ownerOf(u.ID), s)
	if err != nil {
		a.writeProblem(w, r, a.problemOf(r, errors.Join(errSession, err)), a.unavailable(r))
		return
	}
	a.log.InfoContext(r.Context(), "logged out everywhere else", slog.Int64("user", u.ID), slog.Int("ended", ended))
	if !wantsPage(r.Header) {
		a.writeJSON(w, r, http.StatusOK, map[string]int{"ended_sessions": ended})
		return
	}
	s.Update(func(d *Account) { d.Notice = text.For(r.Header).OutOfPlaces(ended) })
	seeOther(w, "/sessions")
}
