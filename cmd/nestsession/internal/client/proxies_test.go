package client_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/client"
)

func proxies(t *testing.T, list ...string) client.Proxies {
	t.Helper()
	p, err := client.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	return r
}

func TestAddress(t *testing.T) {
	t.Parallel()
	trusted := proxies(t, "10.0.0.0/8", "::1")
	for _, c := range []struct {
		name    string
		request *http.Request
		want    string
	}{
		{"no proxy", request("192.0.2.1:1234"), "192.0.2.1"},
		{"a client that invents", request("192.0.2.1:1234", "198.51.100.9"), "192.0.2.1"},
		{"a proxy", request("10.0.0.1:1234", "192.0.2.1"), "192.0.2.1"},
		{"a proxy that adds to what the client invents", request("10.0.0.1:1234", "198.51.100.9, 192.0.2.1"), "192.0.2.1"},
		{"the same in two header lines", request("10.0.0.1:1234", "198.51.100.9", "192.0.2.1"), "192.0.2.1"},
		{"two proxies", request("10.0.0.1:1234", "198.51.100.9,192.0.2.1,10.2.3.4"), "192.0.2.1"},
		{"proxies all the way", request("10.0.0.1:1234", "10.0.0.3, 10.0.0.2"), "10.0.0.3"},
		{"a proxy that says nothing", request("10.0.0.1:1234"), "10.0.0.1"},
		{"nonsense", request("10.0.0.1:1234", "192.0.2.1, unknown"), "10.0.0.1"},
		{"with a port", request("[::1]:1234", "192.0.2.1:80"), "192.0.2.1"},
		{"IPv6 in brackets", request("[::1]:1234", "[2001:db8::1]"), "2001:db8::1"},
		{"IPv6 with a port", request("[::1]:1234", "[2001:db8::1]:80"), "2001:db8::1"},
		{"a proxy's IPv4 written as IPv6", request("[::ffff:10.0.0.1]:1234", "::ffff:192.0.2.1"), "192.0.2.1"},
		{"no address", request("@", "192.0.2.1"), "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := trusted.Address(c.request).String(); got != c.want {
				t.Errorf("Address = %s, want %s", got, c.want)
			}
		})
	}
	if got := client.Proxies(nil).Address(request("10.0.0.1:1", "192.0.2.1")).String(); got != "10.0.0.1" {
		t.Errorf("nobody is trusted: Address = %s, want the peer's", got)
	}
}

func TestSecure(t *testing.T) {
	t.Parallel()
	trusted := proxies(t, "10.0.0.1")
	for _, c := range []struct {
		name, peer, proto string
		tls, want         bool
	}{
		{"plain", "192.0.2.1:1", "", false, false},
		{"TLS", "192.0.2.1:1", "", true, true},
		{"a client that invents", "192.0.2.1:1", "https", false, false},
		{"a proxy with HTTPS", "10.0.0.1:1", "https", false, true},
		{"a proxy behind another", "10.0.0.1:1", "HTTPS, http", false, true},
		{"a proxy without", "10.0.0.1:1", "http", false, false},
		{"another proxy", "10.0.0.2:1", "https", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(c.peer)
			r.Header.Set("X-Forwarded-Proto", c.proto)
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := trusted.Secure(r); got != c.want {
				t.Errorf("Secure = %v, want %v", got, c.want)
			}
		})
	}
}

func TestParseProxiesSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"localhost", "10.0.0.0/33", "10.0.0.1:80"} {
		_, err := client.ParseProxies([]string{"127.0.0.1", wrong})
		if err == nil || !strings.Contains(err.Error(), wrong) || !strings.Contains(err.Error(), "10.0.0.0/8") {
			t.Errorf("ParseProxies(%q) = %v, want its text and an example", wrong, err)
		}
	}
}
