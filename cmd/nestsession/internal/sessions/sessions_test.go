package sessions_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

const secret = "a secret for the tests alone"

func newStore(t *testing.T) *memstore.Store {
	t.Helper()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	return kept
}

// logIn makes a session, and returns its digest as the server logs it.
func logIn(t *testing.T, kept store.Store, owner string, change func(*session.Config)) (digest string) {
	t.Helper()
	cfg := session.Config{
		Secrets: []string{secret}, Store: kept, Cookie: session.Cookie{MaxAge: time.Hour, Secure: session.SecureAuto},
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	m, err := session.New[map[string]any](cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[map[string]any]) {
		session.Put(s, "name", owner)
		s.SetOwner(owner)
		if err := s.Save(r.Context()); err != nil {
			t.Error(err)
		}
		digest = s.Digest()
	})(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return digest
}

func view(t *testing.T, kept store.Store, plain bool, secrets ...string) *sessions.View {
	t.Helper()
	v, err := sessions.New(kept, secrets, plain)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func list(t *testing.T, v *sessions.View, owner string) (all []sessions.Session) {
	t.Helper()
	for s, err := range v.All(t.Context(), owner) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// With the servers' secrets a session's digest is the one in their logs.
func TestDigestsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	digest := logIn(t, kept, "user:1", nil)
	all := list(t, view(t, kept, false, secret), "")
	if len(all) != 1 || all[0].Digest != digest || all[0].Owner != "user:1" {
		t.Fatalf("listed %+v, want one with digest %s", all, digest)
	}
	if got := view(t, kept, false, secret).Digest(all[0].Key()); got != digest {
		t.Errorf("Digest of its key is %s, want %s", got, digest)
	}
	// Without the secrets it is another one, the same each time.
	first, again := list(t, view(t, kept, false), "")[0], list(t, view(t, kept, false), "")[0]
	if first.Digest == digest || first.Digest != again.Digest {
		t.Errorf("without secrets: %s, %s, and with them %s", first.Digest, again.Digest, digest)
	}
}

// Neither the settings of the servers nor their secrets are needed.
func TestTimesAreThoseOfTheSession(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	begin := time.Now().Truncate(time.Millisecond)
	logIn(t, kept, "user:1", func(c *session.Config) { c.Cookie.MaxAge = 90 * 24 * time.Hour })
	s := list(t, view(t, kept, false), "")[0]
	for name, got := range map[string]time.Time{"created": s.Created, "last used": s.LastUsed, "expires": s.Expires.Add(-90 * 24 * time.Hour)} {
		if got.Before(begin) || got.After(time.Now()) {
			t.Errorf("%s is off: %v", name, got)
		}
	}
}

// A touch moves only the expiry. The time of the last use is the expiry minus the session's
// lifetime, which the session has.
func TestLastUseFollowsFromTheExpiry(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	now := time.Now().Truncate(time.Millisecond)
	document := fmt.Sprintf(`{"cookie":{"originalMaxAge":%d},"__nestsession":{"created":%d,"used":%d}}`,
		(10 * time.Hour).Milliseconds(), now.Add(-3*time.Hour).UnixMilli(), now.Add(-2*time.Hour).UnixMilli())
	touched := store.Record{ID: "id", Data: []byte(document), Expires: now.Add(9 * time.Hour)}
	if _, err := kept.Create(t.Context(), touched); err != nil {
		t.Fatal(err)
	}
	s := list(t, view(t, kept, false), "")[0]
	if want := now.Add(-time.Hour); !s.LastUsed.Equal(want) || !s.Created.Equal(now.Add(-3*time.Hour)) {
		t.Errorf("last used %v, created %v; want %v and two hours before", s.LastUsed, s.Created, want)
	}
}

func TestPrintingASessionShowsNoKeyAndNoData(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	logIn(t, kept, "user:1", nil)
	s := list(t, view(t, kept, false), "")[0]
	text := fmt.Sprintf("%v %+v", s, s)
	if strings.Contains(text, s.Key()) || strings.Contains(text, `"name"`) {
		t.Errorf("printed: %s", text)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	for i := range 2000 { // two of them must have the first four characters in common
		if _, err := kept.Create(t.Context(), store.Record{ID: fmt.Sprint("id", i), Data: []byte(`{"cookie":{}}`)}); err != nil {
			t.Fatal(err)
		}
	}
	v := view(t, kept, false)
	begins := map[string]int{}
	all := list(t, v, "")
	for _, s := range all {
		begins[s.Digest[:4]]++
	}
	ambiguous := ""
	for begin, n := range begins {
		if n > 1 {
			ambiguous = begin
		}
	}
	if _, err := v.Find(t.Context(), ambiguous); err == nil || !strings.Contains(err.Error(), "sessions begin with") {
		t.Errorf("%q, which is ambiguous: %v", ambiguous, err)
	}
	want := all[7]
	for _, name := range []string{want.Digest, want.Digest[:12], want.Key()} {
		if got, err := v.Find(t.Context(), name); err != nil || got.Digest != want.Digest {
			t.Errorf("%q finds %v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{"abc": "too short", "zzzzzz": "no such session", "": "too short"} {
		if _, err := v.Find(t.Context(), name); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, want %q", name, err, text)
		}
	}
	if _, err := view(t, kept, true).Find(t.Context(), want.Key()); err == nil {
		t.Error("an id, which is a credential, is taken for a name")
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	kept := newStore(t)
	logIn(t, kept, "user:1", nil)
	logIn(t, kept, "user:1", nil)
	logIn(t, kept, "user:2", nil)
	v := view(t, kept, false)
	if err := v.Revoke(t.Context(), list(t, v, "user:2")[0]); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, v, "")); n != 2 {
		t.Errorf("%d are left, want 2", n)
	}
	if n, err := v.RevokeAll(t.Context(), "user:1"); n != 2 || err != nil {
		t.Errorf("RevokeAll: %d, %v", n, err)
	}
	if n := len(list(t, v, "")); n != 0 {
		t.Errorf("%d are left, want none", n)
	}
}

func TestAStoreThatDoesNotListIsAnError(t *testing.T) {
	t.Parallel()
	v := view(t, struct{ store.Store }{newStore(t)}, false)
	for _, err := range v.All(t.Context(), "") {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v", err)
		}
		return
	}
	t.Error("it lists")
}
