package howto

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Acting is the user as whom an administrator acts, and the end of this.
type Acting struct {
	As    int64     `json:"as,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Subject is the user whose data a page shows. Everything that says who did something
// takes s.Data().User instead, who is the administrator.
func Subject(s *Session) int64 {
	d := s.Data()
	if d.Admin && d.Acting.As != 0 && time.Now().Before(d.Acting.Until) {
		return d.Acting.As
	}
	return d.User
}

// ActAs begins it. The session and its owner are still the administrator's.
func (a *App) ActAs(w http.ResponseWriter, r *http.Request, s *Session) {
	as, err := strconv.ParseInt(r.FormValue("user"), 10, 64)
	if err != nil || !s.Data().Admin {
		http.Error(w, "this is for administrators", http.StatusForbidden)
		return
	}
	acting := Acting{As: as, Until: time.Now().Add(15 * time.Minute)} // before Update
	s.Update(func(d *Account) { d.Acting = acting })
	slog.InfoContext(r.Context(), "acts as another user", "admin", s.Data().User, "user", as, "session", s.Digest())
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// ActAsMyself ends it.
func (a *App) ActAsMyself(w http.ResponseWriter, r *http.Request, s *Session) {
	s.Update(func(d *Account) { d.Acting = Acting{} })
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
