//go:build race || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package arena

// Size is how many bytes a segment has. On the heap, where all of a segment takes memory as
// soon as one byte does, it is smaller. The race detector sees only memory of the heap.
const Size = 8 << 10

const perRegion = 1

func obtain() []byte { return make([]byte, Size) }

func release([]byte) {}
