package benchmarks

import (
	"fmt"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// BenchmarkSealed is a request among many active sessions whose data are sealed, beside one
// among sessions whose data are not. With a million sessions, more are active than the cache of
// decoded documents keeps, so that most requests open the data.
func BenchmarkSealed(b *testing.B) {
	for _, n := range manySizes {
		for _, kind := range []struct {
			name string
			seal session.Seal
		}{{"readable", session.SealOff}, {"sealed", session.SealOnly}} {
			b.Run(fmt.Sprintf("%d/%s", n, kind.name), func(b *testing.B) {
				c := nestCrowdIn(b, memstore.Config{MaxSessions: memstore.NoLimit, MaxBytes: memstore.NoLimit, SweepInterval: -1}, kind.seal, session.DefaultCacheBytes)
				c.fill(n)
				c.checkAnswers()
				for _, work := range []struct {
					name  string
					serve func()
				}{{"read", c.serve(c.read)}, {"write", c.serve(c.write)}, {"login", c.enterAll()}} {
					b.Run(work.name, func(b *testing.B) {
						for range min(2*n, 200_000) {
							if work.name != "login" {
								work.serve()
							}
						}
						b.ReportAllocs()
						for b.Loop() {
							work.serve()
						}
					})
				}
			})
		}
	}
}
