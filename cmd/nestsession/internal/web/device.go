package web

import (
	"net/http"
	"time"
)

// The cookie of a browser in which somebody has logged in before, so that
// strangers who guess that user's password do not slow the user down there. Only
// browsers get it: a program retries by itself.
const deviceCookieAge = 365 * 24 * time.Hour // browsers keep none for more than 400 days

// deviceCookie is its name. Cookies do not know ports: other accounts of another server on
// the host have another one.
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
		Path:     "/login", // needed nowhere else
		MaxAge:   int(deviceCookieAge / time.Second),
		Secure:   a.proxies.Secure(r),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}
