package client_test

import (
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/client"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	hosts, err := client.ParseHosts([]string{"Example.com", "*.example.org", "http://localhost:3000", "192.0.2.1", "https://[2001:db8::1]:8443", ""})
	if err != nil {
		t.Fatal(err)
	}
	for at, allowed := range map[string]bool{
		"https://example.com": true, "https://EXAMPLE.com:443": true, "https://example.com.": true,
		"https://a.example.org": true, "https://a.b.example.org": true,
		"http://localhost:3000": true, "https://192.0.2.1": true, "https://[2001:db8::1]:8443": true,

		"http://example.com": false, "https://example.com:8443": false, "https://a.example.com": false, "https://example.com.evil": false,
		"https://example.org": false, "https://.example.org": false, "https://aexample.org": false, "https://example.org.": false,
		"http://localhost": false, "https://localhost:3000": false, "https://[2001:db8::1]": false, "https://": false,
	} {
		scheme, host := at[:len(at)-len(after(at))-3], after(at)
		if hosts.Allows(scheme, host) != allowed {
			t.Errorf("%s is allowed: %v", at, !allowed)
		}
	}
	for _, wrong := range []string{"*", "*.com", "a/b", "ftp://example.com", "*.192.0.2.1", "a b", "example..com", "https://", "bücher.example", "user@example.com"} {
		if _, err := client.ParseHosts([]string{wrong}); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func after(address string) string {
	for i := range address {
		if address[i:min(i+3, len(address))] == "://" {
			return address[i+3:]
		}
	}
	return ""
}
