package sessiontest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/sessiontest"
	"github.com/nestsession/session/store/memstore"
)

// failingTest records how a test fails.
type failingTest struct {
	testing.TB
	message string
}

func (f *failingTest) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs a test that fails, and returns its message.
func failure(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	f, done := &failingTest{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
	return f.message
}

type unencodable struct{ User string }

func (u unencodable) MarshalJSON() ([]byte, error) {
	if u.User == "" {
		return []byte("{}"), nil
	}
	return nil, errors.New("no form for it")
}

func TestFailures(t *testing.T) {
	t.Parallel()
	closed := memstore.New(memstore.Config{})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	request := func(url string) *http.Request { return httptest.NewRequest(http.MethodGet, url, nil) }
	shop := session.Config{Cookie: session.Cookie{Path: "/shop"}}
	tests := map[string]struct {
		test func(testing.TB)
		want []string
	}{
		"New of a pointer":        {func(tb testing.TB) { sessiontest.New(tb, &account{}) }, []string{"kept by value"}},
		"New of what has no form": {func(tb testing.TB) { sessiontest.New(tb, unencodable{"Ada"}) }, []string{"storing", "no form for it"}},
		"Attach by plain HTTP": {func(tb testing.TB) {
			sessiontest.Attach(tb, manager(t, session.Config{}), request("/me"), ada, "")
		}, []string{"Secure", "plain HTTP", "https://example.com/me"}},
		"Attach outside of the path": {func(tb testing.TB) {
			sessiontest.Attach(tb, manager(t, shop), request("https://example.com/me"), ada, "")
		}, []string{"/me", "Cookie.Path"}},
		"After outside of the path": {func(tb testing.TB) {
			sessiontest.After(tb, manager(t, shop), request("https://example.com/me"), &http.Response{})
		}, []string{"/me", "Cookie.Path"}},
		"Attach to a store that is down": {func(tb testing.TB) {
			sessiontest.Attach(tb, manager(t, session.Config{Store: closed}), request("https://example.com/"), ada, "")
		}, []string{"storing", "closed"}},
		"After with a store that is down": {func(tb testing.TB) {
			kept := memstore.New(memstore.Config{})
			m := manager(t, session.Config{Store: kept})
			r := request("https://example.com/")
			sessiontest.Attach(tb, m, r, ada, "")
			_ = kept.Close()
			sessiontest.After(tb, m, r, &http.Response{})
		}, []string{"opening", "closed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := failure(t, test.test)
			for _, want := range append(test.want, "sessiontest: ") {
				if !strings.Contains(got, want) {
					t.Errorf("the failure is %q, want it to say %q", got, want)
				}
			}
		})
	}
}
