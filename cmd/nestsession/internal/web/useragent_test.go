package web

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// A page marks a device to which the cookie is bound.
func TestBoundDevicesAreMarked(t *testing.T) {
	t.Parallel()
	for _, language := range text.All() {
		for _, bound := range []bool{false, true} {
			var page strings.Builder
			if err := pages[language].ExecuteTemplate(&page, "device", device{Bound: bound}); err != nil {
				t.Fatal(err)
			}
			hidden := strings.Contains(page.String(), `data-slot="bound" hidden>`+language.BoundDevice)
			if shown := strings.Contains(page.String(), `data-slot="bound">`+language.BoundDevice); shown != bound || hidden == bound {
				t.Errorf("%s: bound %v: %s", language.Lang, bound, page.String())
			}
		}
	}
}

func TestDeviceNames(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                     "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36":                            "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1":    "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Browser on Android",
		"curl/8.5.0":         "curl",
		"Go-http-client/1.1": "Go-http-client",
		"":                   "Unknown device",
		"/":                  "Unknown device",
	} {
		if got := deviceName(text.For(nil), session.Device{UserAgent: agent}); got != want {
			t.Errorf("%q is called %q, want %q", agent, got, want)
		}
	}
	if got := deviceName(text.For(nil), session.Device{Name: "the tablet", UserAgent: "curl/8.5.0"}); got != "the tablet" {
		t.Errorf("a device with a name is called %q", got)
	}
	if got := deviceName(text.For(nil), session.Device{UserAgent: strings.Repeat("날", 5000)}); utf8.RuneCountInString(got) != maxDeviceName+1 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long name becomes %q", got)
	}
}
