// Package browser is a browser for the tests of the examples: it keeps the cookies of one site.
package browser

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
)

var site = &url.URL{Scheme: "https", Host: "shop.test", Path: "/"}

// Browser has a cookie jar. Make one with [New].
type Browser struct{ jar *cookiejar.Jar }

// New is a browser without cookies.
func New() *Browser {
	jar, _ := cookiejar.New(nil) // it never fails without options
	return &Browser{jar}
}

// Request is one with the cookies that the browser has.
func (b *Browser) Request(method, path string) *http.Request {
	r := httptest.NewRequest(method, site.Scheme+"://"+site.Host+path, nil)
	for _, c := range b.jar.Cookies(site) {
		r.AddCookie(c)
	}
	return r
}

// Visit returns the page, or the status if that is not 200.
func (b *Browser) Visit(h http.Handler, method, path string) string {
	r, w := b.Request(method, path), httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b.SetCookies(w.Result().Cookies()...)
	if w.Code != http.StatusOK {
		return fmt.Sprint(w.Code)
	}
	return w.Body.String()
}

// SetCookies takes cookies as from a response of the site.
func (b *Browser) SetCookies(cookies ...*http.Cookie) { b.jar.SetCookies(site, cookies) }

// Cookies are the values of those that the browser has, by name.
func (b *Browser) Cookies() map[string]string {
	m := map[string]string{}
	for _, c := range b.jar.Cookies(site) {
		m[c.Name] = c.Value
	}
	return m
}
