//go:build (linux || darwin || freebsd || netbsd || openbsd || dragonfly) && !race

package arena

import "syscall"

// Size is how many bytes a segment has. What is not used of it takes no memory.
const Size = 256 << 10

const perRegion = 16

// obtain returns memory outside the heap. If the system refuses, it is on the heap.
func obtain() []byte {
	mem, err := syscall.Mmap(-1, 0, Size*perRegion, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, Size*perRegion)
	}
	return mem
}

// release gives back what obtain returned. Munmap refuses memory of the heap, and the garbage
// collector frees that.
func release(mem []byte) { _ = syscall.Munmap(mem) }
