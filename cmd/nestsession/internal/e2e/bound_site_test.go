package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nestsession/session/devicebound"
)

// proofCookie is the name of the cookie that a browser gets for its key.
const proofCookie = "__Host-sid-bound"

// certificate is for each host of the domain test. Chromium accepts it by the hash of its key: it
// binds no session on a connection whose certificate has an error that was ignored.
var certificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "tests"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"*.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
})

// startBindingChromium starts a browser that binds sessions to keys in software, which Chromium
// has for tests. The profile is kept in the folder: a browser that is started with it again has the
// cookies and the keys.
func startBindingChromium(t *testing.T, folder string, features ...string) context.Context {
	t.Helper()
	c, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	spki := sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo)
	return startChromium(t,
		chromedp.UserDataDir(folder),
		chromedp.Flag("enable-features", strings.Join(append(features, "DeviceBoundSessions", "EnableBoundSessionCredentialsSoftwareKeysForManualTesting"), ",")),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(spki[:])),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
}

// clock is a server's time. It stands still but for advance, so that a slow machine has enough of it.
type clock struct{ at atomic.Int64 } // ns since 1970

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// overlap passes the time for which a proof counts after the next one.
func (c *clock) overlap() { c.advance(devicebound.DefaultOverlap + time.Second) }

// seen is a request to a site.
type seen struct {
	method, path string
	header       http.Header
	status       int // 0: not answered yet
	answer       http.Header
}

func (s seen) String() string { return fmt.Sprintf("%s %s: %d", s.method, s.path, s.status) }

// boundSite is a server on a host name of its own: Chromium signs six times for a site in nine minutes.
type boundSite struct {
	url     string
	clock   clock
	handler atomic.Pointer[http.Handler]

	mu       sync.Mutex
	requests []seen
	changed  chan struct{} // closed at the next request or answer
	hold     func(*http.Request)
}

// startBoundSite serves what the function returns for the site's clock.
func startBoundSite(t *testing.T, serve func(*clock) http.Handler) *boundSite {
	t.Helper()
	c, err := certificate()
	if err != nil {
		t.Fatal(err)
	}
	s := &boundSite{changed: make(chan struct{})}
	s.clock.at.Store(time.Now().UnixNano())
	s.deploy(serve(&s.clock))
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{c}}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of connections that the browser drops
	server.StartTLS()
	t.Cleanup(server.Close)
	name := fnv.New64a()
	name.Write([]byte(t.Name()))
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.url = fmt.Sprintf("https://site-%x.test:%s", name.Sum64(), port)
	return s
}

func (s *boundSite) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	at := len(s.requests)
	s.requests = append(s.requests, seen{method: r.Method, path: r.URL.Path, header: r.Header.Clone()})
	hold := s.hold
	s.change()
	s.mu.Unlock()
	if hold != nil {
		hold(r)
	}
	noting := &notedWriter{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests[at].status = noting.status
		s.requests[at].answer = w.Header().Clone()
		s.change()
	}()
	(*s.handler.Load()).ServeHTTP(noting, r)
}

// deploy replaces the application, as a restart of the server does.
func (s *boundSite) deploy(h http.Handler) { s.handler.Store(&h) }

// holdAt has fn called with each request before the application gets it.
func (s *boundSite) holdAt(fn func(*http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = fn
}

func (s *boundSite) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *boundSite) all() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// await waits until the site's requests satisfy the condition, and returns them.
func (s *boundSite) await(t *testing.T, what string, ok func([]seen) bool) []seen {
	t.Helper()
	deadline := time.After(soon)
	for {
		s.mu.Lock()
		got, changed := slices.Clone(s.requests), s.changed
		s.mu.Unlock()
		if ok(got) {
			return got
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not within %v: %s; the requests are %v", soon, what, got)
		}
	}
}

type notedWriter struct {
	http.ResponseWriter
	status int
}

func (w *notedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *notedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func answered(all []seen, request string) (found []seen) {
	for _, r := range all {
		if r.method+" "+r.path == request && r.status != 0 {
			found = append(found, r)
		}
	}
	return found
}
