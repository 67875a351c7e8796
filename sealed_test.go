package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// marker is what nobody who reads the store may find.
const marker = "a-word-that-only-ada-knows"

// mark puts the marker into the session of ada.
func mark(t testing.TB, m *session.Manager[account], b *browser) {
	t.Helper()
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "user:ada"); err != nil {
			t.Errorf("Login: %v", err)
		}
		s.Update(func(a *account) { a.User = &user{Name: marker} })
	})
}

func isReadable(t testing.TB, s store.Store) bool {
	t.Helper()
	return slices.ContainsFunc(records(t, s), func(r store.Record) bool { return strings.Contains(string(r.Data), marker) })
}

// The store shows whose a session is and until when it lives, and nothing of its data. A caller
// that finds sessions by their owner can end them, and neither read nor change them.
func TestSealedDataAreReadOnlyWithTheCookie(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newHooked(t)
	readable := newManager[account](t, session.Config{Store: s})
	m := newManager[account](t, session.Config{Store: s, Seal: session.SealWrites})
	before, b := newBrowser(), newBrowser()
	mark(t, m, b)
	if isReadable(t, s) {
		t.Fatal("the marker is in the store")
	}
	if other := newManager[account](t, session.Config{Store: s, Seal: session.SealWrites}); whoami(other, b) != marker {
		t.Error("another manager does not read the data")
	}
	mark(t, readable, before)
	if !isReadable(t, s) {
		t.Fatal("the marker is not found where it is not sealed: the test proves nothing")
	}

	var digest string
	for info, err := range m.List(ctx, "user:ada") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Undecodable || info.Created.IsZero() || info.LastUsed.IsZero() || info.Expires.IsZero() || info.Owner != "user:ada" {
			t.Errorf("List yields %+v with created %v, used %v, expires %v", info, info.Created, info.LastUsed, info.Expires)
		}
		if info.Sealed != (info.Data.User == nil) || !info.Sealed && info.Data.name() != marker {
			t.Errorf("sealed %v, data %v", info.Sealed, info.Data)
		}
		if info.Sealed {
			digest = info.Digest
		}
	}
	rename := func(a *account) { a.User = &user{Name: "renamed"} }
	n, err := m.UpdateOwner(ctx, "user:ada", rename)
	if n != 1 || !errors.Is(err, session.ErrSealed) || !strings.Contains(err.Error(), `1 sessions of "user:ada"`) {
		t.Errorf("UpdateOwner returned %d, %v; it can change the readable session only", n, err)
	}
	if changed, err := m.UpdateSession(ctx, "user:ada", digest, rename); changed || !errors.Is(err, session.ErrSealed) {
		t.Errorf("UpdateSession returned %v, %v", changed, err)
	}
	if got := whoami(m, b) + ", " + whoami(m, before); got != marker+", renamed" {
		t.Errorf("afterwards the sessions are %q", got)
	}
	if ended, err := m.RevokeSession(ctx, "user:ada", digest); !ended || err != nil || whoami(m, b) != "" {
		t.Errorf("RevokeSession returned %v, %v", ended, err)
	}
	if n, err := m.RevokeOwner(ctx, "user:ada"); n != 1 || err != nil {
		t.Errorf("RevokeOwner returned %d, %v", n, err)
	}
}

func TestNewRefusesSealWhereItCannotWork(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]session.Config{
		"rules":    {Seal: session.SealReads, Express: session.ExpressOptions{Rules: true}},
		"plain":    {Seal: session.SealWrites, Express: session.ExpressOptions{InsecurePlainIDs: true}},
		"reserved": {Seal: session.SealOnly, Express: session.ExpressOptions{ReservedKeys: []string{"passport"}}},
		"unknown":  {Seal: session.SealOnly + 1},
	} {
		cfg.Secrets = []string{secret}
		if _, err := session.New[account](cfg); err == nil || !strings.Contains(err.Error(), "Config.Seal") {
			t.Errorf("%s: New returned %v", name, err)
		}
	}
}

// What requests do with sealed sessions, each step on another node, as with readable ones.
func TestSealedSessionsInUse(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	cfg := session.Config{Store: s, Seal: session.SealOnly}
	node := func() *session.Manager[account] { return newManager[account](t, cfg) }
	b := newBrowser()
	step := func(name, want string, h handler) {
		t.Helper()
		var got string
		do(node(), b, func(w http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			got = fmt.Sprintf("%d %v %s", ses.Data().Count, ses.Data().Tags, ses.Owner())
			h(w, r, ses)
		})
		if got != want {
			t.Errorf("before %s the session has %q, want %q", name, got, want)
		}
		if isReadable(t, s) {
			t.Errorf("after %s the marker is in the store", name)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	step("the first update", "0 [] ", func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Count, a.Tags = 1, []string{marker} })
	})
	step("Take", "1 ["+marker+"] ", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		n, err := session.Take(r.Context(), ses, func(a *account) int { n := a.Count; a.Count = 0; return n })
		if check(err); n != 1 {
			t.Errorf("Take took %d", n)
		}
	})
	step("Login", "0 ["+marker+"] ", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		check(ses.Login(r.Context(), "user:ada"))
	})
	step("Renew", "0 ["+marker+"] user:ada", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		check(ses.Renew(r.Context()))
	})
	step("SetOwner", "0 ["+marker+"] user:ada", func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
		ses.SetOwner("user:ada2")
	})
	step("Reload", "0 ["+marker+"] user:ada2", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		check(ses.Reload(r.Context()))
		ses.SetMaxAge(time.Hour)
	})
	step("a login as another user", "0 ["+marker+"] user:ada2", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		check(ses.Login(r.Context(), "user:eve"))
	})
	step("Regenerate", "0 [] user:eve", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		check(ses.Regenerate(r.Context()))
		ses.SetOwner("user:ada") // and no data
	})
	step("Destroy", "0 [] user:ada", func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		check(ses.Destroy(r.Context()))
	})
	step("the end", "0 [] ", func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
}

// Nothing is written where nothing has changed, although a ciphertext differs each time.
func TestUnchangedSealedDataAreNotWritten(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, Seal: session.SealWrites})
	b := newBrowser()
	mark(t, m, b)
	s.calls()
	for range 3 {
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
			ses.Update(func(a *account) { a.User = &user{Name: marker} })
		})
	}
	if got := s.calls(); slices.ContainsFunc(got, func(op string) bool { return op != "load" }) {
		t.Errorf("visits that change nothing called %v", got)
	}
}

// MaxBytes counts what is stored.
func TestMaxBytesCountsSealedBytes(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{Seal: session.SealWrites, MaxBytes: 1000})
	for size, want := range map[int]error{400: nil, 900: session.ErrTooLarge} {
		do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			ses.Update(func(a *account) { a.Tags = []string{strings.Repeat("x", size)} })
			if err := ses.Save(r.Context()); !errors.Is(err, want) {
				t.Errorf("%d bytes: Save returned %v, want %v", size, err, want)
			}
			ses.Discard()
		})
	}
}

// Members of another version of the application keep their text, as in readable documents.
func TestMembersThatTheTypeDoesNotKnowAreSealedToo(t *testing.T) {
	t.Parallel()
	type next struct {
		Count int `json:"count"`
	}
	cfg := session.Config{Store: newHooked(t), Seal: session.SealOnly}
	old, now := newManager[account](t, cfg), newManager[next](t, cfg)
	anything := newManager[map[string]any](t, cfg)
	b := newBrowser()
	mark(t, old, b)
	do(now, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[next]) {
		s.Update(func(d *next) { d.Count = 5 })
	})
	do(anything, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
		s.Update(func(d *map[string]any) { (*d)["new"] = marker })
	})
	if got := peek(old, b); got.name() != marker || got.Count != 5 {
		t.Errorf("the session is %+v", got)
	}
	if got := peek(anything, b); got["new"] != marker || isReadable(t, cfg.Store) {
		t.Errorf("the session is %v", got)
	}
}

// Config.Seal is switched on and off again in the steps of docs/sealed-sessions.md, a node at
// a time and with everybody active all the while: nobody is logged out.
func TestSealIsSwitchedOnAndOffAndNobodyIsLoggedOut(t *testing.T) {
	t.Parallel()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	start := func(seal session.Seal) http.Handler {
		return counting(t, session.Config{Secrets: []string{secret}, Store: kept, Seal: seal}, (*numbered).count)
	}
	nodes := []http.Handler{start(session.SealOff), start(session.SealOff), start(session.SealOff)}
	c := newCrowd()
	for i, b := range c.users {
		b.visit(nodes[i%len(nodes)], "/login/"+strconv.Itoa(i))
	}
	lost := c.round(nodes)
	sealed := func() (n int) {
		for _, r := range records(t, kept) {
			if strings.Contains(string(r.Data), `"sealed":`) && !strings.Contains(string(r.Data), `"login":true`) {
				n++
			}
		}
		return n
	}
	steps := []struct {
		seal session.Seal
		want int // records that are sealed after the step
	}{{session.SealReads, 0}, {session.SealWrites, 12}, {session.SealOnly, 12}, {session.SealWrites, 12}, {session.SealReads, 0}, {session.SealOff, 0}}
	for _, step := range steps {
		for i := range nodes {
			nodes[i] = start(step.seal)
			if i == 1 { // logins between, on nodes of each kind
				for n := range c.users[:2] {
					c.users[n].visit(nodes[n], "/login/"+strconv.Itoa(n))
				}
			}
			lost += c.round(nodes)
		}
		if got := sealed(); got != step.want {
			t.Errorf("Seal %d on all nodes: %d of the sessions are sealed, want %d", step.seal, got, step.want)
		}
	}
	if lost != 0 {
		t.Errorf("%d visits of users who were logged out, or had lost a visit", lost)
	}
}

// A visit that only reads seals a session that was stored before, once.
func TestAVisitSealsAnOlderSessionOnce(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	b := newBrowser()
	mark(t, newManager[account](t, session.Config{Store: s}), b)
	m := newManager[account](t, session.Config{Store: s, Seal: session.SealWrites})
	read := func() string {
		s.calls()
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
			if ses.Data().name() != marker {
				t.Errorf("the session is %+v", ses.Data())
			}
		})
		return fmt.Sprint(s.calls())
	}
	if got := read(); got != "[load update]" || isReadable(t, s) {
		t.Errorf("the first visit called %s", got)
	}
	if got := read(); got != "[load]" {
		t.Errorf("the second visit called %s", got)
	}
}

// A node that does not seal refuses a sealed session and leaves it where it is; a node that
// takes only sealed ones does the same with one that is not.
func TestANodeWithAnotherSealDeletesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ writes, reads session.Seal }{
		"sealed":   {session.SealWrites, session.SealOff},
		"readable": {session.SealOff, session.SealOnly},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			s := newHooked(t)
			writer := newManager[account](t, session.Config{Store: s, Seal: c.writes})
			reader := newManager[account](t, session.Config{Store: s, Seal: c.reads, OnEvent: log.add})
			b := newBrowser()
			mark(t, writer, b)
			res := do(reader, b, func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				if !ses.IsNew() || ses.Owner() != "" || ses.Data().User != nil {
					t.Errorf("it sees %+v of %q", ses.Data(), ses.Owner())
				}
			})
			events := log.take()
			if len(events) != 1 || events[0].Reason != session.ReasonUndecodable || !strings.Contains(events[0].Err.Error(), "Config.Seal is Seal") {
				t.Errorf("events: %+v", events)
			}
			if res.StatusCode != http.StatusOK || len(res.Cookies()) > 0 || whoami(writer, b) != marker {
				t.Errorf("it answered %d and set %v; afterwards the session is %+v", res.StatusCode, res.Cookies(), peek(writer, b))
			}
			for info, err := range reader.List(t.Context(), "user:ada") {
				if err != nil || !info.Undecodable || info.Data.User != nil || info.Sealed != (name == "sealed") {
					t.Errorf("List yields %+v, sealed %v, %v", info, info.Sealed, err)
				}
			}
			if n, err := reader.RevokeOwner(t.Context(), "user:ada"); n != 1 || err != nil {
				t.Errorf("RevokeOwner returned %d, %v", n, err)
			}
		})
	}
}

// Secrets are rotated under sealed sessions, some of which only read. Once each has been
// visited, the old secret may go.
func TestSecretsAreRotatedUnderSealedSessions(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	node := func(secrets ...string) *session.Manager[account] {
		return newManager[account](t, session.Config{Secrets: secrets, Store: s, Seal: session.SealOnly})
	}
	reads, writes, renews, absent := newBrowser(), newBrowser(), newBrowser(), newBrowser()
	all := []*browser{reads, writes, renews, absent}
	for _, b := range all {
		mark(t, node(oldSecret), b)
	}
	for _, secrets := range [][]string{{oldSecret, newSecret}, {newSecret, oldSecret}, {newSecret}} {
		m := node(secrets...)
		for i, b := range all[:3] {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
				if ses.Data().name() != marker {
					t.Errorf("%v: session %d is %+v", secrets, i, ses.Data())
				}
				if b == writes {
					ses.Update(func(a *account) { a.Count++ })
				}
				if b == renews {
					if err := ses.Renew(r.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	if whoami(node(newSecret), absent) != "" || whoami(node(newSecret, oldSecret), absent) != marker {
		t.Error("a session that nobody has visited is read with the secret that sealed it only")
	}
}

// A stream goes on in its session when that is renewed, although it does not know the new id,
// and although what the renewal left under the old id is gone.
func TestAStreamGoesOnInARenewedSealedSession(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s, Seal: session.SealOnly})
	b := newBrowser()
	mark(t, m, b)
	var stream *session.Session[account]
	var live context.Context
	do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ctx, stop := ses.NotifyContext(context.WithoutCancel(r.Context()))
		t.Cleanup(stop)
		stream, live = ses, ctx
	})
	for range 3 {
		do(m, b, func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			ses.Update(func(a *account) { a.Tags = append(a.Tags, "renewed") })
			if err := ses.Renew(r.Context()); err != nil {
				t.Error(err)
			}
		})
		for _, rec := range records(t, s) {
			if strings.Contains(string(rec.Data), `"successor"`) {
				if err := s.Delete(t.Context(), rec.ID); err != nil {
					t.Error(err)
				}
			}
		}
	}
	stream.Update(func(a *account) { a.Count = 7 })
	if err := stream.Save(t.Context()); err != nil || live.Err() != nil {
		t.Errorf("Save returned %v; the stream: %v", err, live.Err())
	}
	if err := stream.Reload(t.Context()); err != nil || stream.Data().name() != marker || len(stream.Data().Tags) != 3 {
		t.Errorf("Reload returned %v; the stream sees %+v", err, stream.Data())
	}
	if got := peek(newManager[account](t, session.Config{Store: s, Seal: session.SealOnly}), b); got.Count != 7 || len(got.Tags) != 3 {
		t.Errorf("the session is %+v", got)
	}
}

// A request that began in a readable session does not know the key of the sealed one that a
// login makes of it. Its changes are dropped and reported, and it is answered.
func TestChangesInFlightAtTheLoginThatSealsAreReported(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]session.Seal{"readable": session.SealOff, "sealed": session.SealWrites} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			s := newHooked(t)
			cfg := session.Config{Store: s, Seal: session.SealWrites, OnEvent: log.add}
			b := newBrowser()
			do(newManager[account](t, session.Config{Store: s, Seal: first}), b, func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				ses.Update(func(a *account) { a.Count = 1 })
			})
			late := b.request("GET", "/")
			slow, fast := newManager[account](t, cfg), newManager[account](t, cfg)
			res := answer(slow.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) {
				mark(t, fast, b)
				log.take()
				ses.Update(func(a *account) { a.Count++ })
			}), late)
			dropped := slices.ContainsFunc(log.take(), func(e session.Event) bool { return e.Kind == session.EventDropped })
			count := peek(fast, b).Count
			if res.StatusCode != http.StatusOK || dropped != (name == "readable") || count == 2 == dropped {
				t.Errorf("answered %d; reported as dropped: %v; the count is %d", res.StatusCode, dropped, count)
			}
		})
	}
}

// Sealed bytes that were damaged, or belong to another session, are a record that cannot be
// decoded: the client gets a new session.
func TestDamagedSealedDataAreANewSession(t *testing.T) {
	t.Parallel()
	sealedText := func(data []byte) (from, to int) {
		_, after, _ := strings.Cut(string(data), `"sealed":"`)
		from = len(data) - len(after)
		return from, from + strings.Index(after, `"`)
	}
	for name, damage := range map[string]func(mine, other []byte) []byte{
		"another's": func(mine, other []byte) []byte {
			from, to := sealedText(mine)
			oFrom, oTo := sealedText(other)
			return slices.Concat(mine[:from], other[oFrom:oTo], mine[to:])
		},
		"another's document": func(_, other []byte) []byte { return other },
		"torn": func(mine, _ []byte) []byte {
			_, to := sealedText(mine)
			return slices.Delete(slices.Clone(mine), to-9, to)
		},
		"empty": func(mine, _ []byte) []byte {
			from, to := sealedText(mine)
			return slices.Delete(slices.Clone(mine), from, to)
		},
		"no text": func(mine, _ []byte) []byte {
			from, _ := sealedText(mine)
			mine = slices.Clone(mine)
			mine[from] = '!'
			return mine
		},
		"left out": func(mine, _ []byte) []byte {
			from, to := sealedText(mine)
			return slices.Delete(slices.Clone(mine), from-len(`,"sealed":"`), to+1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			s := newHooked(t)
			m := newManager[account](t, session.Config{Store: s, Seal: session.SealWrites, OnEvent: log.add})
			ada, bob := newBrowser(), newBrowser()
			mark(t, m, ada)
			mark(t, m, bob)
			all := records(t, s)
			for i, rec := range all {
				rec.Data = damage(rec.Data, all[1-i].Data)
				if _, err := s.Update(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
			}
			log.take()
			if whoami(m, ada) != "" || whoami(m, bob) != "" {
				t.Error("the session goes on")
			}
			for _, e := range log.take() {
				if e.Reason != session.ReasonUndecodable || strings.Contains(e.Err.Error(), marker) {
					t.Errorf("event %+v", e)
				}
			}
		})
	}
}
