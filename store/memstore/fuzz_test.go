package memstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// FuzzStore runs a history that the input describes, on a store and on a plain map, and
// compares them at each step. A step takes four bytes: what is done, to which session, and two
// that say how.
func FuzzStore(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x01\x01\x02\x03\x02\x01\x00\x00\x05\x00\x00\x00"))
	var long []byte
	for i := range 3000 {
		long = append(long, byte(i*7), byte(i*13), byte(i), byte(i>>3))
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, history []byte) {
		ctx := t.Context()
		clock := newHand()
		file := filepath.Join(t.TempDir(), "sessions")
		config := memstore.Config{Now: clock.now, MaxSessions: 100_000, SweepInterval: -1, SnapshotInterval: time.Hour}
		s, err := memstore.Open(file, config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { s.Close() }()
		m := &model{records: map[string]store.Record{}}
		for ; len(history) >= 4; history = history[4:] {
			op, which, x, y := history[0]%9, history[1], history[2], history[3]
			m.now = clock.now()
			id := fmt.Sprintf("%042dA", which)
			if which%5 == 0 {
				id = fmt.Sprint(which)
			}
			data := bytes.Repeat([]byte{'{', x, y}, int(x)*int(y)/5)
			r := store.Record{ID: id, Data: data, Expires: m.now.Add(time.Duration(x)*time.Second - time.Minute)}
			if y%3 > 0 {
				r.Owner = fmt.Sprint("user:", y%3)
			}
			if y%7 == 0 {
				r.Expires = time.Time{}
			}
			kept, missing := m.live(id)
			var got, want error
			switch op {
			case 0, 1:
				if r.Version, got = s.Create(ctx, r); missing == nil {
					want = store.ErrExists
				} else {
					m.records[id] = r
				}
			case 2, 3:
				r.Version = kept.Version
				if r.Version, got = s.Update(ctx, r); missing != nil {
					want = missing
				} else {
					m.records[id] = r
				}
			case 4:
				kept.Expires = r.Expires
				if got, want = s.Touch(ctx, id, r.Expires), missing; missing == nil {
					m.records[id] = kept
				}
			case 5:
				got = s.Delete(ctx, id)
				delete(m.records, id)
			case 6:
				clock.advance(time.Duration(x) * time.Second / 4)
				if y%4 == 0 {
					_, got = s.Sweep(ctx)
					for id, r := range m.records {
						if m.over(r) {
							delete(m.records, id)
						}
					}
				}
			case 7:
				if x%8 > 0 {
					break
				}
				m.compareList(t, &fixture{Store: s}, r.Owner)
			case 8:
				if y%16 > 0 {
					break
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, got = memstore.Open(file, config); got != nil {
					t.Fatal(got)
				}
				for id, r := range m.records {
					if m.over(r) {
						delete(m.records, id)
					}
				}
			}
			if got != want {
				t.Fatalf("step %d of session %s: %v, want %v", op, id, got, want)
			}
			m.now = clock.now()
			kept, want = m.live(id)
			loaded, got := s.Load(ctx, id)
			if !errors.Is(got, want) || got == nil && !alike(loaded, kept) {
				t.Fatalf("after step %d: Load %v, %v, want %v, %v", op, loaded, got, kept, want)
			}
		}
		m.compareList(t, &fixture{Store: s}, "")
		if n := s.Stats().Sessions; n != int64(len(m.records)) {
			t.Errorf("%d sessions are counted, want %d", n, len(m.records))
		}
	})
}
