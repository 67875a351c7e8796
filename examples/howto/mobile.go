package howto

import (
	"net/http"
	"net/http/cookiejar"
	"time"
)

// NewClient is an HTTP client that keeps the session's cookie as a browser does.
func NewClient() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second}, nil
}
