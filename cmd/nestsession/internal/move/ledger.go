package move

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// Ledger records in a file which sessions a destination has had, over all runs, so that the next
// run does not bring back a session that was ended there. It has digests of keys, which are of no
// use to a thief.
type Ledger struct {
	path  string
	found bool
	whole int64    // the length of the whole entries in the file
	file  *os.File // nil before Begin

	mu    sync.Mutex
	known map[digest]int64 // ms since 1970 when the destination's copy expires; 0: never
}

// digest stands for the key of a record at the destination.
type digest [16]byte

const (
	ledgerHead = "nestsession ledger 1\n"
	entrySize  = len(digest{}) + 8
)

// errLedger marks errors of the ledger, after which the copy does not try again.
var errLedger = errors.New("the ledger of copied sessions")

// ReadLedger reads the file, if it exists, and changes nothing. With anew, it ignores the content.
func ReadLedger(path string, anew bool) (*Ledger, error) {
	l := &Ledger{path: path, known: map[digest]int64{}}
	text, err := os.ReadFile(path)
	if anew || errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLedger, err)
	}
	entries, ours := bytes.CutPrefix(text, []byte(ledgerHead))
	if !ours {
		return nil, fmt.Errorf("%w %s is another kind of file", errLedger, path)
	}
	l.found = true
	for ; len(entries) >= entrySize; entries = entries[entrySize:] {
		l.known[digest(entries[:len(digest{})])] = int64(binary.BigEndian.Uint64(entries[len(digest{}):]))
	}
	l.whole = int64(len(text) - len(entries)) // the last entry may be incomplete after a crash of the machine
	return l, nil
}

// Begin prepares the file for writing, and makes it if it does not exist, readable only by its
// owner.
func (l *Ledger) Begin() error {
	err := os.MkdirAll(filepath.Dir(l.path), 0o700)
	if err == nil {
		l.file, err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	}
	if err == nil {
		err = l.file.Truncate(l.whole)
	}
	if err == nil && !l.found {
		_, err = l.file.WriteString(ledgerHead)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errLedger, err)
	}
	return nil
}

// Found reports whether an earlier run has left the file.
func (l *Ledger) Found() bool { return l.found }

// Live returns how many sessions the destination would still have if none had ended there.
func (l *Ledger) Live(now time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, expires := range l.known {
		if expires == 0 || expires > now.UnixMilli() {
			n++
		}
	}
	return n
}

// Close makes sure that the file is on the disk.
func (l *Ledger) Close() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.file.Sync(), l.file.Close())
}

// had reports whether the destination has had the session, and would still have it if it had not
// ended there. A session whose copy has expired there may have been used at the source since.
func (l *Ledger) had(key string, now time.Time) bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	expires, known := l.known[digestOf(key)]
	return known && (expires == 0 || expires > now.UnixMilli())
}

// add records that the destination has the session until then. The operating system has the entry
// when add returns, so the entry outlives this process.
func (l *Ledger) add(key string, expires time.Time) error {
	if l == nil {
		return nil
	}
	var at int64
	if !expires.IsZero() {
		at = expires.UnixMilli()
	}
	d := digestOf(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, known := l.known[d]; known && before == at {
		return nil
	}
	entry := binary.BigEndian.AppendUint64(append(make([]byte, 0, entrySize), d[:]...), uint64(at))
	if _, err := l.file.Write(entry); err != nil {
		return fmt.Errorf("%w: %w", errLedger, err)
	}
	l.known[d] = at
	return nil
}

func digestOf(key string) digest {
	sum := sha256.Sum256([]byte(key))
	return digest(sum[:len(digest{})])
}

// noted records the outcome of a record: until when the destination has it.
func (m *Mover) noted(why Outcome, err error, key string, until time.Time) (Outcome, error) {
	if err != nil {
		return why, err
	}
	if err := m.o.Ledger.add(key, until); err != nil {
		return "", err
	}
	return why, nil
}

// longer returns the later of two expiries. Zero, for a session that never expires, is the latest.
func longer(r, there store.Record) time.Time {
	if r.Expires.IsZero() || there.Expires.IsZero() {
		return time.Time{}
	}
	if r.Expires.After(there.Expires) {
		return r.Expires
	}
	return there.Expires
}
