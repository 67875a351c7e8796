//go:build !race

package recent

import "testing"

// Not with the race detector, which allocates too.
func TestAnEmptyCacheIsSmall(t *testing.T) {
	n := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = New(64 << 20)
		}
	}).AllocedBytesPerOp()
	if n > 8<<10 {
		t.Errorf("an empty cache takes %d bytes", n)
	}
}
