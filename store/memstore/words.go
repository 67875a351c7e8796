package memstore

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/nestsession/session/internal/pack"
)

// words learn what the documents of a store have in common, such as the cookie member and the
// names of the others. It takes three documents of different sessions to learn from, and
// only what all three have is kept, so that nothing of one session stays when that has
// ended. It is bounded by [pack.MaxDict].
type words struct {
	current atomic.Pointer[pack.Dict]
	bulky   atomic.Uint32 // documents that packing made little smaller

	mu      sync.Mutex
	samples [3][]byte
	of      [3]uint64
	n       int
}

const (
	leastSample = 32
	maxSample   = 2048
)

func (w *words) dict() *pack.Dict { return w.current.Load() }

// saw hears of a document, and of how many bytes it was packed into. It learns from the
// first that were made little smaller, and now and then from later ones, whose form may be
// another.
func (w *words) saw(id uint64, data []byte, packed int) {
	if packed*10 < len(data)*7 || len(data) < leastSample {
		return
	}
	if n := w.bulky.Add(1); n > 64 && n%256 > 2 || w.dict().Len() >= pack.MaxDict {
		return
	}
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	for _, known := range w.of[:w.n] {
		if known == id {
			return
		}
	}
	w.samples[w.n], w.of[w.n] = bytes.Clone(data[:min(len(data), maxSample)]), id
	if w.n++; w.n == len(w.samples) {
		w.current.Store(w.dict().Learn(w.samples))
		w.samples, w.n = [3][]byte{}, 0
	}
}
