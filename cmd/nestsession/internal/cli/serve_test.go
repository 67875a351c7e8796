package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// endless is a handler that returns only when the client has disconnected.
func endless(begun, gone chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(gone)
	})
}

func TestAnEndlessRequestDoesNotKeepTheServerRunning(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun, gone, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- serveUntil(ctx, ln, newServer(endless(begun, gone), slog.New(slog.DiscardHandler)), func() {}, slog.New(slog.DiscardHandler), time.Millisecond)
	}()
	go func() {
		if answer, err := http.Get("http://" + ln.Addr().String()); err == nil {
			_ = answer.Body.Close()
		}
	}()
	<-begun
	cancel()
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "some requests did not finish") {
		t.Errorf("ended with %v, want to hear that some requests did not finish", err)
	}
	<-gone // its connection was closed
}

func TestPasswordsOverPlainHTTPAreWarnedAbout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		address string
		proxies int
		warned  bool
	}{
		{"127.0.0.1:8080", 0, false},
		{"[::1]:8080", 0, false},
		{"192.0.2.1:8080", 0, true},
		{"0.0.0.0:8080", 0, true},
		{"0.0.0.0:8080", 1, false},
	} {
		var log bytes.Buffer
		s := &serve{proxies: make([]netip.Prefix, c.proxies)}
		s.warn(slog.New(slog.NewTextHandler(&log, nil)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.address)))
		if got := strings.Contains(log.String(), "unencrypted"); got != c.warned {
			t.Errorf("%s with %d proxies: warned %v, want %v", c.address, c.proxies, got, c.warned)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"168h": "168h", "10h30m": "10h30m", "10m": "10m", "90s": "1m30s", "70s": "1m10s", "1h0m10s": "1h0m10s", "10s": "10s", "9600h": "9600h",
	} {
		var a age
		if err := a.UnmarshalText([]byte(text)); err != nil || a.String() != want {
			t.Errorf("%q is read as %v, %v; want %s", text, a, err, want)
		}
	}
	for _, text := range []string{"", "7d", "1", "-1h", "1ms", "1.5s", "9600h1s"} {
		if err := new(age).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestNoWeakServerTimeouts(t *testing.T) {
	t.Parallel()
	s := newServer(nil, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("a slow or wordy client is not bounded: %+v", s)
	}
}

// The address is the first line that a server prints, whether or not its store is open yet.
func TestTheAddressIsAnnouncedFirst(t *testing.T) {
	t.Parallel()
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	target, err := storeurl.Parse("redis://localhost", false)
	if err != nil {
		t.Fatal(err)
	}
	const address = "nestsession listens on http://127.0.0.1:8080  (Ctrl-C stops it)\n"
	for name, c := range map[string]struct {
		slow bool
		err  error
		want string
	}{
		"a store that opens":                    {false, nil, address},
		"a store that fails":                    {false, errors.New("down"), ""},
		"a store that opens after a while":      {true, nil, address + "  waiting   for the sessions in Redis at localhost:6379\n"},
		"a store that is not there for a while": {true, errors.New("down"), address + "  waiting   for the sessions in Redis at localhost:6379\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var printed bytes.Buffer
				_, err := openAnnounced(&printed, at, target, false, func() (*stores.Opened, error) {
					if c.slow {
						time.Sleep(2 * slowStart)
					}
					return nil, c.err
				})
				if !errors.Is(err, c.err) || printed.String() != c.want {
					t.Errorf("printed %q, %v; want %q", printed.String(), err, c.want)
				}
			})
		})
	}
}
