package memstore

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// journal is a file beside the snapshot to which a store of [Open] appends each change before
// it makes it. Open replays it, so that a process that was killed has lost nothing and
// no session is live that was ended. Each snapshot begins another journal, and removes the
// earlier ones when it is in place.
//
// An entry sets the state of one record, and a journal has all changes of a time in their
// order. So entries that the snapshot has already do no harm.
//
// The methods of a nil journal do nothing: a store of [New] has none.
type journal struct {
	snapshot string // the file
	logger   *slog.Logger
	hasten   func() // has a snapshot written soon

	mu     sync.Mutex
	file   *os.File // nil after a failure, until the next snapshot
	failed error    // set while the snapshot is older than a change that is in no file
	buf    []byte
	size   int64 // of what is to be replayed, without the snapshot
	most   int64 // for size
}

const (
	journalName = "nest session journal "

	putEntry    = 'p'
	touchEntry  = 't'
	deleteEntry = 'd'

	// An entry begins with its length, the checksum of its contents, and the checksum of
	// these two.
	entryHeader = 12

	// leastJournal is the size at which a snapshot is written early, or that of the
	// snapshot if that is larger.
	leastJournal = 64 << 20

	// past is before all expiries.
	past = math.MinInt64 / 2
)

func (j *journal) put(e *encoded, version store.Version, used int64) error {
	if j == nil {
		return nil
	}
	b := appendTime(j.begin(putEntry), e.expires)
	b = binary.AppendUvarint(b, uint64(version))
	b = binary.AppendVarint(b, used)
	b = appendPart(b, e.key.text)
	b = appendPart(b, e.owner)
	return j.end(appendPart(b, e.data))
}

func (j *journal) touch(k *key, expires time.Time) error {
	if j == nil {
		return nil
	}
	return j.end(appendPart(appendTime(j.begin(touchEntry), expires), k.text))
}

func (j *journal) delete(id string) error {
	if j == nil {
		return nil
	}
	return j.end(appendPart(j.begin(deleteEntry), id))
}

// begin returns the beginning of an entry, with which the caller calls end.
func (j *journal) begin(kind byte) []byte {
	j.mu.Lock()
	return append(j.buf[:0], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, kind)
}

// end writes the entry. If it returns an error, the change must not be made, since a crash might
// undo it.
func (j *journal) end(b []byte) error {
	defer j.mu.Unlock()
	if cap(b) <= maxLogged {
		j.buf = b
	}
	if j.file == nil {
		return j.invalidate()
	}
	if _, err := j.file.Write(finished(b)); err != nil {
		// The entry may be there in part, so no other may follow it.
		_ = j.file.Close()
		j.file, j.failed = nil, err
		return j.invalidate()
	}
	before := j.size
	if j.size += int64(len(b)); before <= j.most && j.size > j.most {
		j.hasten()
	}
	return nil
}

// finished sets the header of an entry.
func finished(b []byte) []byte {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-entryHeader))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[entryHeader:], castagnoli))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	return b
}

// invalidate removes the snapshot if a change could not be written: without it a crash logs
// everybody out, and with it a crash would bring back sessions that were ended.
func (j *journal) invalidate() error {
	if j.failed == nil {
		return nil
	}
	if err := j.removeAll(); err != nil {
		return fmt.Errorf("memstore: the change is in no file, and the snapshot cannot be removed: %w", errors.Join(j.failed, err))
	}
	j.logger.Error("a change of a session could not be written beside the snapshot, which was removed: "+
		"until the next snapshot is written, a crash ends all sessions", "error", j.failed)
	j.failed = nil
	return nil
}

// removeAll removes the snapshot and all journals.
func (j *journal) removeAll() error {
	if err := os.Remove(j.snapshot); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.removeBefore(math.MaxInt)
}

// removeBefore removes the journals with lower numbers. The oldest is first, so that those
// that are left, if that fails, are without a gap.
func (j *journal) removeBefore(n int) error {
	all, err := j.numbers()
	if err != nil {
		return err
	}
	for _, number := range all {
		if number >= n {
			break
		}
		if err := os.Remove(j.name(number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (j *journal) name(number int) string {
	return j.snapshot + ".journal." + strconv.Itoa(number)
}

// numbers returns the numbers of the journals that there are, in their order.
func (j *journal) numbers() (all []int, err error) {
	entries, err := os.ReadDir(filepath.Dir(j.snapshot))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	prefix := filepath.Base(j.name(0))
	prefix = prefix[:len(prefix)-1]
	for _, e := range entries {
		if text, ok := strings.CutPrefix(e.Name(), prefix); ok {
			if n, err := strconv.Atoi(text); err == nil && n > 0 && text == strconv.Itoa(n) {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// rotate begins another journal, for the changes from now on, and returns its number.
func (j *journal) rotate() (number int, err error) {
	all, err := j.numbers()
	if err != nil {
		return 0, err
	}
	if number = 1; len(all) > 0 {
		number = all[len(all)-1] + 1
	}
	f, err := os.OpenFile(j.name(number), os.O_WRONLY|os.O_CREATE|os.O_EXCL, snapshotMode)
	if err != nil {
		return 0, err
	}
	if _, err := f.WriteString(journalName + snapshotVersion); err != nil {
		return 0, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	j.mu.Lock()
	old := j.file
	j.file, j.size = f, 0
	j.mu.Unlock()
	if old != nil {
		_ = old.Sync() // what it has is not to be lost alone if the machine crashes
		_ = old.Close()
	}
	return number, nil
}

// replace puts the snapshot into its place, unless a change since rotate is in no file.
func (j *journal) replace(temporary string, size int64, closed bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil && !closed {
		return errors.New("a change could not be written meanwhile")
	}
	if err := os.Rename(temporary, j.snapshot); err != nil {
		return err
	}
	j.failed, j.most = nil, max(size, leastJournal)
	return nil
}

// close ends the journal when no call changes the store any more.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// replay applies the journals to what the snapshot has restored.
func (s *Store) replay(numbers []int, now int64) error {
	j := s.saves.journal
	for _, n := range numbers {
		f, err := os.Open(j.name(n))
		if err != nil {
			return fmt.Errorf("memstore: journal: %w", err)
		}
		err = s.replayFrom(f, now)
		_ = f.Close()
		if err != nil {
			return s.saves.explain(j.name(n), "journal", err)
		}
	}
	// Sessions that had expired when the snapshot was restored are there, since an entry may
	// have moved their expiry.
	_, err := s.removeExpired(context.Background())
	s.limits.expired.Store(0)
	return err
}

// replayFrom applies the entries of a journal. The last may be cut off: the process was killed
// in the middle of a call. After a crash of the machine there may be zeros, too.
func (s *Store) replayFrom(f *os.File, now int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	left := info.Size()
	s.saves.journal.size += left
	in := bufio.NewReaderSize(f, blockSize)
	head := make([]byte, len(journalName)+len(snapshotVersion))
	n, err := io.ReadFull(in, head)
	switch begun := string(head[:min(n, len(journalName))]); {
	case !strings.HasPrefix(journalName, begun):
		return errForeign
	case err != nil:
		return nil // cut off
	case string(head[len(journalName):]) != snapshotVersion:
		return errNewer
	}
	left -= int64(len(head))
	buf := &scratch{}
	for left >= entryHeader {
		header, err := in.Peek(entryHeader)
		if err != nil {
			return err
		}
		n, sum := int64(binary.LittleEndian.Uint32(header)), binary.LittleEndian.Uint32(header[4:])
		if crc32.Checksum(header[:8], castagnoli) != binary.LittleEndian.Uint32(header[8:]) {
			return onlyZeros(in)
		}
		if _, err := in.Discard(entryHeader); err != nil {
			return err
		}
		if left -= entryHeader + n; left < 0 {
			return nil // cut off
		}
		b, err := readBlock(in, int(n))
		if err != nil {
			return err
		}
		if crc32.Checksum(b, castagnoli) != sum {
			if left == 0 {
				return nil // not written to its end
			}
			return onlyZeros(in)
		}
		if err := s.apply(b, buf, now); err != nil {
			return err
		}
	}
	return nil
}

// onlyZeros returns errDamaged unless all that follows is zero.
func onlyZeros(in *bufio.Reader) error {
	for {
		switch b, err := in.ReadByte(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case b != 0:
			return errDamaged
		}
	}
}

// apply sets the state of a record to what the entry says.
func (s *Store) apply(b []byte, buf *scratch, now int64) error {
	p := parts{b: b}
	kind := p.skip(1)
	if p.failed {
		return errDamaged
	}
	var expires time.Time
	if kind[0] != deleteEntry {
		expires = p.time()
	}
	var version store.Version
	var used int64
	if kind[0] == putEntry {
		version, used = store.Version(p.uvarint()), s.use(p.varint())
	}
	id := string(p.bytes())
	if p.failed || id == "" {
		return errDamaged
	}
	k := s.key(id)
	switch kind[0] {
	case putEntry:
		r := store.Record{ID: id, Owner: string(p.bytes()), Data: p.bytes(), Expires: expires}
		if p.failed || version == 0 || version > max48 {
			return errDamaged
		}
		if have := s.versions.Load(); uint64(version) > have {
			s.versions.Store(uint64(version))
		}
		if err := s.shardOf(&k).delete(&k); err != nil {
			return err
		}
		e := s.encode(r, buf)
		return s.restoreRecord(&e, e.size(), version, used, now)
	case touchEntry:
		if err := s.shardOf(&k).touch(&k, expires, past); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil // it was evicted meanwhile
	case deleteEntry:
		return s.shardOf(&k).delete(&k)
	}
	return errDamaged
}
