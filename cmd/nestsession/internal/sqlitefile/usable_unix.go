//go:build unix

package sqlitefile

import (
	"io/fs"
	"syscall"
)

// usable returns an error if this process may not read and write the file.
func usable(path string) error {
	const readAndWrite = 4 | 2
	if err := syscall.Access(path, readAndWrite); err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return nil
}
