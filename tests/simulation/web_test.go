package simulation

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// around wraps the application, and changes responses before they are sent.
func around(next http.Handler, change func(t *trip, res http.Header)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Result().Header)
		change(tripOf(r.Context()), w.Header())
		w.WriteHeader(rec.Code)
	})
}

// gone reports whether another request has replaced or ended the id of this one.
func (t *trip) gone(res http.Header) bool {
	return t.cookie != "" && (t.superseded || res.Get("X-Life") == "0")
}

// lateExpiry is a bug of the first release candidate: a request whose session another one has ended
// removes the cookie from the browser, which may have a newer one.
func lateExpiry() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return around(next, func(t *trip, res http.Header) {
			if name, _, _ := strings.Cut(t.cookie, "="); t.gone(res) && len(res["Set-Cookie"]) == 0 {
				res.Add("Set-Cookie", name+"=; Path=/; Max-Age=0; Secure"+t.partitioned())
			}
		})
	}
}

// lateCookie is a similar bug: such a request sets the cookie again that it came with.
func lateCookie() func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return around(next, func(t *trip, res http.Header) {
			if t.gone(res) && len(res["Set-Cookie"]) == 0 {
				res.Add("Set-Cookie", t.cookie+"; Path=/; Secure"+t.partitioned())
			}
		})
	}
}

func (t *trip) partitioned() string {
	if t.node.world.rules.config(t.node.world.seed).Cookie.Partitioned {
		return "; Partitioned"
	}
	return ""
}

// oldIDReads accepts the id from before a login as that after it.
func oldIDReads() func(http.Handler) http.Handler {
	var mu sync.Mutex
	after := map[string]string{}
	return func(next http.Handler) http.Handler {
		inner := around(next, func(t *trip, res http.Header) {
			if t.header = res; t.is("/login") && t.cookie != "" && t.given() != "" {
				mu.Lock()
				after[t.cookie] = t.given()
				mu.Unlock()
			}
		})
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			if newer := after[r.Header.Get("Cookie")]; newer != "" {
				r.Header.Set("Cookie", newer)
			}
			mu.Unlock()
			inner.ServeHTTP(w, r)
		})
	}
}
