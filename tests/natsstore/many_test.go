package natsstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
)

// BenchmarkList lists 100,000 sessions, and those of one owner among them.
func BenchmarkList(b *testing.B) {
	s := newStore(b, natsstore.Config{Conn: connect(b, startOne(b))})
	const many, owners = 100_000, 1000
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := w; i < many; i += 32 {
				r := store.Record{ID: fmt.Sprintf("session-%035d", i), Owner: fmt.Sprint("user:", i%owners), Data: make([]byte, 267), Expires: in(time.Hour)}
				if _, err := s.Create(b.Context(), r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	for name, owner := range map[string]string{"all": "", "one owner": "user:7"} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = 0
				for _, err := range s.List(b.Context(), owner) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			if want := map[string]int{"": many, "user:7": many / owners}[owner]; n != want {
				b.Errorf("%d are listed, want %d", n, want)
			}
			b.ReportMetric(float64(n), "sessions")
		})
	}
}
