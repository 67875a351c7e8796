package howto

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"

	"github.com/nestsession/session"
)

// Kept is the value for Config.Devices.
var Kept = session.Devices{Addresses: true, UserAgents: true}

// Device is one row of the page.
type Device struct {
	session.Info[Account]
	Current bool // the session of this request
}

var devices = template.Must(template.New("devices").Parse(`<!doctype html><title>Your devices</title>
{{range .}}<form method="post" action="/devices/logout">
{{or .Device.Name .Device.UserAgent}}, last used {{.LastUsed.Format "2 January 15:04"}}{{with .Device.LastAddress}}{{if .IsValid}} from {{.}}{{end}}{{end}}{{if .Current}}, this one{{end}}
<button name="session" value="{{.Digest}}">Log out</button></form>
{{end}}`))

// Devices lists the sessions of the user.
func (a *App) Devices(w http.ResponseWriter, r *http.Request, s *Session) {
	var list []Device
	for info, err := range a.Sessions.List(r.Context(), s.Owner()) {
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		list = append(list, Device{info, info.Digest == s.Digest()})
	}
	slices.SortFunc(list, func(a, b Device) int { return cmp.Or(b.LastUsed.Compare(a.LastUsed), cmp.Compare(a.Digest, b.Digest)) })
	_ = devices.Execute(w, list)
}

// LogoutDevice ends one session of the user.
func (a *App) LogoutDevice(w http.ResponseWriter, r *http.Request, s *Session) {
	ended, err := a.Sessions.RevokeSession(r.Context(), s.Owner(), r.FormValue("session"))
	switch {
	case err != nil:
		http.Error(w, "try again", http.StatusServiceUnavailable)
	case !ended:
		http.Error(w, "it is not logged in any more", http.StatusNotFound)
	default:
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
	}
}

// LogoutOthers ends all sessions of the user except this one.
func (a *App) LogoutOthers(w http.ResponseWriter, r *http.Request, s *Session) {
	if _, err := a.Sessions.RevokeOwner(r.Context(), s.Owner(), s); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/devices", http.StatusSeeOther)
}

// NameDevice names one of the user's devices.
func (a *App) NameDevice(w http.ResponseWriter, r *http.Request, s *Session) {
	digest, name := r.FormValue("session"), r.FormValue("name")
	n, err := a.Sessions.UpdateDevices(r.Context(), s.Owner(), func(of string, d *session.Device) {
		if of == digest {
			d.Name = name
		}
	})
	switch {
	case err != nil:
		http.Error(w, "try again", http.StatusServiceUnavailable)
	case n == 0:
		http.Error(w, "it is not logged in any more, or has this name", http.StatusNotFound)
	default:
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
	}
}

// EraseDevices erases the stored data of the user's devices.
func (a *App) EraseDevices(w http.ResponseWriter, r *http.Request, s *Session) {
	erase := func(_ string, d *session.Device) { *d = session.Device{} }
	if _, err := a.Sessions.UpdateDevices(r.Context(), s.Owner(), erase); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/devices", http.StatusSeeOther)
}
