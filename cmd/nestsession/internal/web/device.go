package web

import (
	"net/http"
	"time"
)

// The cookie of a browser in which a user has logged in before, so that strangers who guess that
// user's password do not slow the user down there. Only browsers get it: a program tries again by
// itself.
const deviceCookieAge = 365 * 24 * time.Hour // browsers keep no cookie for more than 400 days

// deviceCookie is its name. Cookies do not depend on the port, so another server on the host, which
// has other accounts, needs another name.
func (a *App) deviceCookie() string { return "device-" + a.users.Issuer() }

func (a *App) knownDevice(r *http.Request, name string) string {
	c, err := r.Cookie(a.deviceCookie())
	if err != nil {
		return ""
	}
	return a.devices.Known(c.Value, name)
}

func (a *App) rememberDevice(w http.ResponseWriter, r *http.Request, name string) {
	if a.knownDevice(r, name) != "" {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name:     a.deviceCookie(),
		Value:    a.devices.Issue(name),
		Path:     "/login", // no other path needs it
		MaxAge:   int(deviceCookieAge / time.Second),
		Secure:   a.proxies.Secure(r),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}
