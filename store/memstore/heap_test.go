package memstore_test

import (
	"crypto/rand"
	"encoding/base64"
	"runtime"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// heap is what lives on it.
func heap() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Sessions that have ended leave a small record behind for a moment. All the others took,
// their data and their owner, is given back, and what is left is little. Not in parallel:
// the heap is the process's.
func TestHeapOfEndedSessions(t *testing.T) { //nolint:paralleltest // see above
	const sessions, size, most = 60_000, 6_600, 14 << 20
	ended := []byte(`{"__nestsession":{"ended":true,"created":1790000000000}}`)
	before := heap()
	s := memstore.New(memstore.Config{})
	defer s.Close()
	for i := range sessions {
		var raw [32]byte
		_, _ = rand.Read(raw[:])
		r := store.Record{
			ID: base64.RawURLEncoding.EncodeToString(raw[:]), Owner: "user:" + base64.RawURLEncoding.EncodeToString(raw[:6]),
			Data: make([]byte, size), Expires: time.Now().Add(time.Hour),
		}
		v, err := s.Create(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		r.Version, r.Owner, r.Data, r.Expires = v, "", ended, time.Now().Add(time.Minute)
		if _, err := s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		_ = i
	}
	if n := s.Stats().Sessions; n != sessions {
		t.Fatalf("%d records are kept", n)
	}
	grown := heap() - before
	t.Logf("%d bytes a record that has ended", grown/sessions)
	if grown > most {
		t.Errorf("the heap has grown by %d bytes, %d for each of %d records that have ended; want %d at most", grown, grown/sessions, sessions, most)
	}
	runtime.KeepAlive(s)
}
