package session_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
)

// visitor is a browser for the examples: each call is a request by HTTPS with the
// cookies of the responses before it, and returns the page.
func visitor(h http.Handler) func(method, target string) string {
	jar, _ := cookiejar.New(nil) // fails never, without options
	return func(method, target string) string {
		r := httptest.NewRequest(method, "https://shop.test"+target, nil)
		for _, c := range jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		jar.SetCookies(r.URL, w.Result().Cookies())
		return w.Body.String()
	}
}
