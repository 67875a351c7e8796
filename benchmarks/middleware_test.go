package benchmarks

import (
	"encoding/json"
	"net/http"
	"testing"
)

func serve(b *testing.B, h http.Handler, r *http.Request) {
	w := &writer{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkRead is a request that looks at who is logged in.
func BenchmarkRead(b *testing.B) {
	b.Run("bare", func(b *testing.B) { serve(b, bare, newRequest()) })
	for _, c := range contenders(b) {
		b.Run(c.name, func(b *testing.B) { serve(b, c.read, c.carry(b)) })
	}
}

// BenchmarkWrite is a request that changes the session. A token's write is a new token.
func BenchmarkWrite(b *testing.B) {
	for _, c := range contenders(b) {
		b.Run(c.name, func(b *testing.B) { serve(b, c.write, c.carry(b)) })
	}
}

// BenchmarkLogin is a visitor's login: a new id, the account put in, a cookie.
func BenchmarkLogin(b *testing.B) {
	for _, c := range contenders(b) {
		b.Run(c.name, func(b *testing.B) { serve(b, c.login, newRequest()) })
	}
}

// TestSameWork holds the contenders to doing what they are timed for.
func TestSameWork(t *testing.T) {
	t.Parallel()
	if text, err := json.Marshal(newAccount()); err != nil || len(text) != 146 {
		t.Errorf("the account is %d bytes of JSON (%v), want 146", len(text), err)
	}
	for _, c := range contenders(t) {
		r := c.carry(t)
		w := &writer{http.Header{}}
		for _, h := range []http.Handler{c.read, c.write, c.read} {
			h.ServeHTTP(w, r)
		}
	}
}
