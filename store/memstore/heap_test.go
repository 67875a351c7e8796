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

// heap returns the size of the live objects.
func heap() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A session that has ended leaves a small record for a while. The memory of its data and
// owner is freed, and the rest is small. This test does not run in parallel, because it
// measures the heap of the process.
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
