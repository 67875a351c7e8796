package session_test

import (
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"github.com/nestsession/session/internal/pipes"
)

// pipeServer serves h, by plain HTTP, to the client that it returns, which has a
// cookie jar and follows redirects. Call it in a bubble.
func pipeServer(t *testing.T, h http.Handler) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: pipes.Serve(t, &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}), Jar: jar}
}
