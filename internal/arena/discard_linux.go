//go:build linux && !race

package arena

import "syscall"

// discard frees the pages of a segment whose region is still in use.
func discard(mem []byte) { _ = syscall.Madvise(mem, syscall.MADV_DONTNEED) }
