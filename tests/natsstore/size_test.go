package natsstore_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
)

// BenchmarkSize measures how many bytes a session takes on the disk of a server: a document of 267
// bytes, with and without an owner, saved once more after its creation.
func BenchmarkSize(b *testing.B) {
	for name, owner := range map[string]string{"without an owner": "", "with an owner": "user:%d"} {
		b.Run(name, func(b *testing.B) {
			server := natsserver.Start(b, 1, servers.NATSOptions{})[0]
			s := newStore(b, natsstore.Config{Conn: dial(b, server)})
			const many = 100_000
			for b.Loop() {
				var wg sync.WaitGroup
				for w := range 64 {
					wg.Go(func() {
						for i := w; i < many; i += 64 {
							r := store.Record{ID: fmt.Sprintf("session-%035d", i), Data: make([]byte, 267), Expires: in(1000 * time.Hour)}
							if owner != "" {
								r.Owner = fmt.Sprintf(owner, i)
							}
							var err error
							if r.Version, err = s.Create(b.Context(), r); err == nil {
								_, err = s.Update(b.Context(), r)
							}
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
			var bytes int64
			_ = filepath.WalkDir(server.Dir(), func(_ string, e fs.DirEntry, err error) error {
				if err == nil && e.Type().IsRegular() {
					if info, err := e.Info(); err == nil {
						bytes += info.Size()
					}
				}
				return nil
			})
			b.ReportMetric(float64(bytes)/many, "disk-B/session")
			b.ReportMetric(float64(residentBytes(server.PID()))/many, "memory-B/session")
		})
	}
}

// residentBytes is the memory of a process, 0 where that is not known.
func residentBytes(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kilo int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilo); n == 1 {
			return kilo << 10
		}
	}
	return 0
}
