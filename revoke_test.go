package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// A visitor who is not logged in has no owner. That must not stand for everybody.
func TestNobodyIsNotEverybody(t *testing.T) {
	t.Parallel()
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	b := loginAs(t, m, "user:1")
	log.take()
	do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		n := 0
		for info, err := range m.List(r.Context(), s.Owner()) {
			if n++; info.Digest != "" || !errors.Is(err, session.ErrNoOwner) || !strings.Contains(err.Error(), "ListAll") {
				t.Errorf("List yields %v, %v; want an error that says what to call", info, err)
			}
		}
		if n != 1 {
			t.Errorf("List yields %d times", n)
		}
		change := func(*account) { t.Error("somebody's session would be changed") }
		digest := list(t, m, "user:1")[0].Digest
		_, errs0 := m.RevokeOwner(r.Context(), s.Owner())
		_, errs1 := m.RevokeSession(r.Context(), s.Owner(), digest)
		_, errs2 := m.UpdateOwner(r.Context(), s.Owner(), change)
		_, errs3 := m.UpdateSession(r.Context(), s.Owner(), digest, change)
		for i, err := range []error{errs0, errs1, errs2, errs3} {
			if !errors.Is(err, session.ErrNoOwner) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
	if e := log.take(); len(e) != 0 || whoami(m, b) != "user:1" {
		t.Errorf("events %+v, logged in as %q", e, whoami(m, b))
	}
	if all := slices.Collect(all(m.ListAll(t.Context()))); len(all) != 1 {
		t.Errorf("ListAll yields %v", all)
	}
}

// all leaves the errors out.
func all[T any](listing iter.Seq2[session.Info[T], error]) iter.Seq[session.Info[T]] {
	return func(yield func(session.Info[T]) bool) {
		for info, err := range listing {
			if err == nil && !yield(info) {
				return
			}
		}
	}
}

// A list carries the sessions' data, each a copy of the reader's own.
func TestInfoHasTheData(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{})
	b := loginAs(t, m, "user:1")
	putTags(m, b, "secret")
	info := list(t, m, "user:1")[0]
	if info.Data.name() != "user:1" || info.Undecodable {
		t.Errorf("the data are %+v", info.Data)
	}
	info.Data.User.Name, info.Data.Tags[0] = "mallory", "spoiled"
	if a := peek(m, b); a.name() != "user:1" || a.Tags[0] != "secret" || list(t, m, "user:1")[0].Data.name() != "user:1" {
		t.Errorf("changing an Info's data has changed the session's: %+v", a)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", info, info, &info, info); strings.Contains(text, "spoiled") {
		t.Errorf("printing shows data: %s", text)
	}
}

// What does not fit the type is listed and ended, but not changed.
func TestInfoOfWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	loginAs(t, m, "user:1")
	for _, rec := range records(t, s) {
		rec.Data = []byte("cut off")
		if _, err := s.inner.Update(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	b := loginAs(t, m, "user:1")
	n := 0
	for _, info := range list(t, m, "user:1") {
		if info.Undecodable {
			if n++; info.Data.User != nil || info.Owner != "user:1" {
				t.Errorf("listed as %+v", info)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d are undecodable, want 1", n)
	}
	if changed, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count = 1 }); changed != 1 || err == nil || peek(m, b).Count != 1 {
		t.Errorf("UpdateOwner: %d, %v; want the other one changed, and an error that tells", changed, err)
	}
	if n, err := m.RevokeOwner(t.Context(), "user:1"); n != 2 || err != nil {
		t.Errorf("RevokeOwner: %d, %v", n, err)
	}
}

// A session is whose its document says, whatever a column beside it says.
func TestTheOwnerIsTheDocuments(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	b := newBrowser()
	login(t, m, b, "mallory")
	for _, rec := range records(t, s) {
		rec.Owner = "user:1"
		if _, err := s.Update(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	do(m, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if s.Owner() != "" {
			t.Errorf("the owner is %q", s.Owner())
		}
	})
	if infos := list(t, m, "user:1"); len(infos) != 0 {
		t.Errorf("listed as %v", infos)
	}
	if n, err := m.RevokeOwner(t.Context(), "user:1"); n != 0 || err != nil {
		t.Errorf("RevokeOwner: %d, %v", n, err)
	}
}

// A user ends one device by what the page shows. Nobody ends another user's.
func TestRevokeSessionEndsOneOfTheOwners(t *testing.T) {
	t.Parallel()
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	desk, phone, other := loginAs(t, m, "user:1"), loginAs(t, m, "user:1"), loginAs(t, m, "user:2")
	digest := func(b *browser) (digest string) {
		do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { digest = s.Digest() })
		return digest
	}
	log.take()
	for _, foreign := range []string{digest(other), "", "0123", strings.Repeat("0", 24)} {
		if ended, err := m.RevokeSession(t.Context(), "user:1", foreign); ended || err != nil {
			t.Errorf("%q: %v, %v", foreign, ended, err)
		}
	}
	lost := digest(phone)
	do(m, phone, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { // since the page was shown
		if err := s.Renew(r.Context()); err != nil {
			t.Errorf("Renew: %v", err)
		}
	})
	log.take()
	for _, want := range []bool{true, false} {
		if ended, err := m.RevokeSession(t.Context(), "user:1", lost); ended != want || err != nil {
			t.Errorf("RevokeSession: %v, %v; want %v", ended, err, want)
		}
	}
	if got := log.kinds(); got != "revoked" {
		t.Errorf("events: %s", got)
	}
	if a, b, c := whoami(m, desk), whoami(m, phone), whoami(m, other); a != "user:1" || b != "" || c != "user:2" {
		t.Errorf("logged in as %q, %q, %q", a, b, c)
	}
}

// Each end is told once, by who did it: not by who came too late.
func TestEachRevocationIsToldOnce(t *testing.T) {
	t.Parallel()
	var log journal
	m := newManager[account](t, session.Config{OnEvent: log.add})
	const n = 40
	for range n {
		loginAs(t, m, "user:1")
	}
	infos := list(t, m, "user:1")
	log.take()
	var ended atomic.Int64
	done := make(chan error)
	for range 3 {
		go func() {
			k, err := m.RevokeOwner(t.Context(), "user:1")
			ended.Add(int64(k))
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Errorf("RevokeOwner: %v", err)
		}
	}
	for _, info := range infos {
		if err := m.Revoke(t.Context(), info); err != nil {
			t.Errorf("Revoke: %v", err)
		}
	}
	told := map[string]int{}
	for _, e := range log.take() {
		if e.Kind == session.EventRevoked && e.Owner == "user:1" {
			told[e.Digest]++
		}
	}
	for digest, times := range told {
		if times != 1 {
			t.Errorf("the end of %s is told %d times", digest, times)
		}
	}
	if len(told) != n || ended.Load() != n {
		t.Errorf("%d of %d ends are told, %d counted", len(told), n, ended.Load())
	}
}

// Ending n sessions asks the store for their list, and once for each.
func TestRevokeOwnerCostsOneCallASession(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 50} {
		kept := newHooked(t)
		counting := &countedList{hooked: kept}
		m := newManager[account](t, session.Config{Store: counting})
		var own *browser
		for range n {
			own = loginAs(t, m, "user:1")
		}
		revoke := func(want, loads int, keep ...*session.Session[account]) {
			kept.calls()
			counting.lists.Store(0)
			ended, err := m.RevokeOwner(t.Context(), "user:1", keep...)
			if ended != want || err != nil {
				t.Errorf("RevokeOwner: %d, %v; want %d", ended, err, want)
			}
			calls := slices.DeleteFunc(kept.calls(), func(op string) bool { return op == "delete" })
			updates := slices.DeleteFunc(slices.Clone(calls), func(op string) bool { return op == "load" })
			if lists := int(counting.lists.Load()); lists != 1 || len(updates) != want || len(calls)-len(updates) > loads {
				t.Errorf("of %d sessions: %d lists and %q", want, lists, calls)
			}
		}
		if n > 0 {
			do(m, own, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { revoke(n-1, 1, s) }) // a load may be of the session to keep
		}
		revoke(min(n, 1), 0)
	}
}

type countedList struct {
	*hooked
	lists atomic.Int64
}

func (s *countedList) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	s.lists.Add(1)
	l, _ := store.As[store.Lister](s.inner)
	return l.List(ctx, owner)
}

// After an error it is known how many were ended, and the others can be ended later.
func TestRevokeOwnerThatFails(t *testing.T) {
	t.Parallel()
	const n = 60
	var log journal
	kept := newHooked(t)
	m := newManager[account](t, session.Config{Store: kept, OnEvent: log.add})
	for range n {
		loginAs(t, m, "user:1")
	}
	log.take()
	var updates atomic.Int64
	kept.before = func(_ context.Context, op, _ string) error {
		if op == "update" && updates.Add(1) > 20 {
			return errDown
		}
		return nil
	}
	ended, err := m.RevokeOwner(t.Context(), "user:1")
	if ended != 20 || !errors.Is(err, errDown) || strings.Count(log.kinds(), "revoked") != 20 {
		t.Errorf("RevokeOwner: %d, %v; want 20", ended, err)
	}
	if tried := updates.Load(); tried > 20+16 {
		t.Errorf("%d were tried", tried)
	}
	kept.before = nil
	if again, err := m.RevokeOwner(t.Context(), "user:1"); again != n-20 || err != nil {
		t.Errorf("again: %d, %v", again, err)
	}
}

// twoSteps is a store that lists as one over a network does: which records there are,
// and then what is in them. between runs in between.
type twoSteps struct {
	*hooked
	between func()
}

func (s *twoSteps) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		l, _ := store.As[store.Lister](s.inner)
		var ids []string
		for rec := range l.List(ctx, owner) {
			ids = append(ids, rec.ID)
		}
		if between := s.between; between != nil {
			s.between = nil
			between()
		}
		for _, id := range ids {
			if rec, err := s.inner.Load(ctx, id); err == nil && rec.Owner == owner && !yield(rec, nil) {
				return
			}
		}
	}
}

// A session that is renewed while the store lists is under neither id in the list. It
// ends nevertheless, and is changed, once.
func TestSessionsThatAreRenewedDuringAListing(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]session.Config{"": {}, ", without a grace": {RenewGrace: -1}} {
		kept := &twoSteps{hooked: newHooked(t)}
		grace.Store = kept
		m := newManager[account](t, grace)
		b := loginAs(t, m, "user:1")
		renew := func() {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Renew(r.Context()); err != nil {
					t.Errorf("Renew: %v", err)
				}
			})
		}
		kept.between = renew
		if n, err := m.UpdateOwner(t.Context(), "user:1", func(a *account) { a.Count++ }); n != 1 || err != nil {
			t.Errorf("UpdateOwner%s: %d, %v", name, n, err)
		}
		if n := peek(m, b).Count; n != 1 {
			t.Errorf("changed %d times%s", n, name)
		}
		kept.between = renew
		if n, err := m.RevokeOwner(t.Context(), "user:1"); n != 1 || err != nil {
			t.Errorf("RevokeOwner%s: %d, %v", name, n, err)
		}
		if who := whoami(m, b); who != "" {
			t.Errorf("logged in as %q%s", who, name)
		}
	}
}
