//go:build unix

package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// root is the folder of this process's servers. Its lock is held while the process lives, so that
// the next process can recognize the folder of a process that was killed.
var root = sync.OnceValues(func() (lockedFolder, error) {
	removeAbandoned()
	dir, err := os.MkdirTemp("", rootPattern)
	if err != nil {
		return lockedFolder{}, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return lockedFolder{}, err
	}
	// Servers may run as another user, who has to be able to enter the folder.
	return lockedFolder{dir, lock}, os.Chmod(dir, 0o711)
})

// lockedFolder is a folder with its lock, which ends when the file is closed.
type lockedFolder struct {
	path string
	lock *os.File
}

// The name is short, because the path of a Unix socket has at most some 100 bytes.
const rootPattern = "nestsrv-*"

// lockFolder takes the folder's lock, or fails if another process holds it.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// removeAbandoned removes the folders whose process has ended. A folder that is being made has no
// lock file yet, and stays.
func removeAbandoned() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), rootPattern))
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
			continue
		}
		if lock, err := lockFolder(dir); err == nil {
			_ = os.RemoveAll(dir)
			lock.Close()
		}
	}
}

// newFolder makes a folder for one server.
func newFolder(name string) (string, error) {
	parent, err := root()
	if err != nil {
		return "", fmt.Errorf("servers: %w", err)
	}
	return os.MkdirTemp(parent.path, name+"-*")
}
