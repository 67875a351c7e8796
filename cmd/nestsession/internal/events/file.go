package events

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// private is the mode of a new file: owners and addresses are personal data.
const private fs.FileMode = 0o600

// file is a file that is rotated. It follows its path: another process, logrotate or an operator may
// have moved or removed the file.
type file struct {
	path     string
	maxBytes int64
	maxFiles int

	current *os.File
	mode    fs.FileMode // of the next file
}

// open opens the file at the path. A half line, left by a crash, gets its end.
func (f *file) open() error {
	if f.mode == 0 {
		f.mode = private
	}
	// A pipe that nobody reads would block without O_NONBLOCK.
	opened, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, f.mode)
	if err != nil {
		return err
	}
	at, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	if at.Mode().IsRegular() {
		f.mode = at.Mode().Perm()
		if end := make([]byte, 1); at.Size() > 0 {
			if _, err := opened.ReadAt(end, at.Size()-1); err == nil && end[0] != '\n' {
				_, _ = opened.Write([]byte("\n")) // readers skip what is not a line
			}
		}
	}
	f.current = opened
	return nil
}

func (f *file) close() error {
	if f.current == nil {
		return nil
	}
	err := f.current.Close()
	f.current = nil
	return err
}

// Write writes whole lines, in one call of the system.
func (f *file) Write(lines []byte) (int, error) {
	if err := f.ready(int64(len(lines))); err != nil {
		return 0, err
	}
	return f.current.Write(lines)
}

// ready opens the file again if it is no longer the one at the path, and rotates it if it has no room.
func (f *file) ready(more int64) error {
	there, err := os.Stat(f.path)
	if f.current != nil {
		if own, ownErr := f.current.Stat(); err != nil || ownErr != nil || !os.SameFile(there, own) {
			_ = f.close()
		}
	}
	if f.current == nil {
		if err := f.open(); err != nil {
			return err
		}
		if there, err = f.current.Stat(); err != nil {
			return err
		}
	}
	if !there.Mode().IsRegular() || there.Size() == 0 || there.Size()+more <= f.maxBytes {
		return nil
	}
	_ = f.close() // Windows renames no open file
	if err := f.rotate(); err != nil {
		return fmt.Errorf("the file is full, and cannot be rotated: %w", err)
	}
	return f.open()
}

// rotate moves the file and the former ones by one number, and removes those beyond the bound.
func (f *file) rotate() error {
	all, err := numbered(f.path)
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(all) {
		if n+1 >= f.maxFiles {
			err = os.Remove(former(f.path, n))
		} else {
			err = os.Rename(former(f.path, n), former(f.path, n+1))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // another process rotates as well
			return err
		}
	}
	if f.maxFiles == 1 {
		return os.Remove(f.path)
	}
	return os.Rename(f.path, former(f.path, 1))
}

// former returns the path of a former file.
func former(path string, n int) string { return path + "." + strconv.Itoa(n) }

// numbered returns the numbers of the former files that there are, the newest first.
func numbered(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var all []int
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(text); ok && err == nil && n > 0 && strconv.Itoa(n) == text {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}
