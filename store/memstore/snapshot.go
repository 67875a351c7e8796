package memstore

import (
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
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// A snapshot is a line of text, a block with about how many records follow, blocks of records, and a
// last block. A block is its length, its checksum
// and its contents, which begin with a byte that says what they are. The last block has the
// number of records, the last version, a checksum of all checksums, and the dictionary with
// which documents are packed: a file that ends early, or in which blocks are missing, is
// noticed.
const (
	snapshotName    = "nest session snapshot "
	snapshotVersion = "1\n"

	sizesBlock   = 'n'
	recordsBlock = 'r'
	lastBlock    = 'e'

	// In a block, a record is as the log of a shard has it, or in parts.
	asLogged = 0
	asParts  = 1

	blockSize    = 256 << 10
	maxBlock     = 1 << 31
	headerSize   = 8
	lastSize     = 1 + 8 + 8 + 4 // without the dictionary
	snapshotMode = 0o600
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open is [New] for a store whose sessions survive a restart: it restores those that the file
// has, and from then on writes all sessions to the file every [Config.SnapshotInterval] and
// on [Store.Close]. If there is no file, the store is empty. Only one process at a time may
// use the file: end the old one before the new one begins.
//
// Between two snapshots each change is appended to a journal, a file beside the snapshot
// whose name goes on with ".journal." and a number, before the call returns. So a process that
// is killed loses no change, and no session is live after that which was ended. The journal is
// not synced for each change: if the machine crashes, the changes of the last seconds are
// lost, and a session that was ended in these seconds is live again. If a change cannot be
// written, the snapshot is removed, an error is logged, and a crash before the next snapshot ends
// all sessions; if it cannot be removed either, the call returns an error.
//
// The file is replaced as a whole, and only its owner may read it (mode 0600). A file that is
// damaged, that another program wrote, or that a newer version of this package wrote is not
// used at all: Open returns an error that says what to do. Open returns [store.ErrFull] if
// [Config.AtLimit] is [Refuse] and the file has more sessions than fit.
func Open(file string, c Config) (*Store, error) {
	s := New(c)
	s.saves.init(file, c)
	if err := s.restore(); err != nil {
		s.saves.file = "" // Close must not replace it
		return nil, errors.Join(err, s.Close())
	}
	j := s.saves.journal
	if s.saves.interval < 0 {
		if err := j.removeAll(); err != nil {
			s.saves.file = ""
			return nil, errors.Join(fmt.Errorf("memstore: the restored snapshot cannot be removed: %w", err), s.Close())
		}
		return s, nil
	}
	size := j.size
	if _, err := j.rotate(); err != nil {
		s.saves.file = ""
		return nil, errors.Join(fmt.Errorf("memstore: journal: %w", err), s.Close())
	}
	j.size = size // of the earlier ones, which are kept until the next snapshot
	s.journal = j
	s.saves.schedule(s, (*Store).saveAndSchedule)
	if size > j.most {
		s.saves.hasten()
	}
	return s, nil
}

// saver writes snapshots from time to time.
type saver struct {
	alarm
	file    string // "": none
	logger  *slog.Logger
	journal *journal

	writing sync.Mutex
}

func (w *saver) init(file string, c Config) {
	w.file, w.interval, w.logger = file, c.SnapshotInterval, c.Logger
	if w.interval == 0 {
		w.interval = DefaultSnapshotInterval
	}
	if w.logger == nil {
		w.logger = slog.Default()
	}
	w.journal = &journal{snapshot: file, logger: w.logger, hasten: w.hasten, most: leastJournal}
}

func (s *Store) saveAndSchedule() {
	w := &s.saves
	if !w.begin() {
		return
	}
	defer w.end()
	if err := s.WriteSnapshot(context.Background()); err != nil && !s.closed.Load() {
		w.logger.Error("the sessions were not written to the snapshot, which is as old as before", "error", err)
	}
	w.schedule(s, (*Store).saveAndSchedule)
}

// errNoFile is what WriteSnapshot returns for a store that New made.
var errNoFile = errors.New("memstore: the store has no file for a snapshot: make it with Open")

// WriteSnapshot writes all live sessions to the file of [Open] now. If
// [Config.SnapshotInterval] is negative, a crash after it brings them back as they are now. Requests go on meanwhile:
// a session that is written, touched or deleted at the same time is in the file as it was before or
// after. If there is an error, the file is as it was before.
func (s *Store) WriteSnapshot(ctx context.Context) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	return s.save(ctx, false)
}

// save writes the file. After the store was closed, closed is set.
func (s *Store) save(ctx context.Context, closed bool) (err error) {
	w := &s.saves
	if w.file == "" {
		return errNoFile
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	defer func() {
		if err != nil {
			err = fmt.Errorf("memstore: snapshot: %w", err)
		}
	}()
	number := math.MaxInt
	switch {
	case closed:
		w.journal.close()
	case s.closed.Load():
		return store.ErrClosed
	case w.interval > 0:
		if number, err = w.journal.rotate(); err != nil {
			return err
		}
	}
	temporary := w.file + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, snapshotMode)
	if err != nil {
		return err
	}
	err = s.writeTo(ctx, f, closed)
	var size int64
	if err == nil {
		size, err = f.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = w.journal.replace(temporary, size, closed || w.interval < 0)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return err
	}
	// Some systems cannot sync a folder. Then a crash of the machine may bring back the
	// file as it was.
	if folder, err := os.Open(filepath.Dir(w.file)); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
	_ = w.journal.removeBefore(number) // to replay them once more does no harm
	return nil
}

func (s *Store) writeTo(ctx context.Context, f io.Writer, closed bool) error {
	if _, err := io.WriteString(f, snapshotName+snapshotVersion); err != nil {
		return err
	}
	sizes := s.appendSizes(newBlock(sizesBlock))
	seal(sizes)
	if _, err := f.Write(sizes); err != nil {
		return err
	}
	var count uint64
	var chain uint32
	block := newBlock(recordsBlock)
	flush := func() error {
		sum := seal(block)
		chain = crc32.Update(chain, castagnoli, binary.LittleEndian.AppendUint32(nil, sum))
		_, err := f.Write(block)
		block = append(block[:0], newBlock(recordsBlock)...)
		return err
	}
	for i := range s.shards {
		sh := &s.shards[i]
		for cur := (cursor{}); !cur.done; {
			if err := ctx.Err(); err != nil {
				sh.leave(&cur)
				return err
			}
			var n int
			var err error
			if block, n, err = sh.appendPage(block, &cur, s.clock.now(), closed); err == nil && len(block) >= blockSize {
				err = flush()
			}
			count += uint64(n)
			if err != nil || cur.done {
				sh.leave(&cur)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	block = newBlock(lastBlock)
	block = binary.LittleEndian.AppendUint64(block, count)
	block = binary.LittleEndian.AppendUint64(block, s.versions.Load())
	block = binary.LittleEndian.AppendUint32(block, chain)
	block = append(block, s.words.dict().Text()...)
	seal(block)
	_, err := f.Write(block)
	return err
}

// appendSizes appends the number of records, and of those with an owner.
func (s *Store) appendSizes(b []byte) []byte {
	var all, owned uint64
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		all, owned = all+uint64(sh.ids.n), owned+uint64(sh.owners.n)
		sh.mu.Unlock()
	}
	return binary.AppendUvarint(binary.AppendUvarint(b, all), owned)
}

// expect makes room in the tables, so that they need not grow while the records are restored.
func (s *Store) expect(all, owned uint64) {
	share := func(n uint64) uint32 {
		n /= uint64(len(s.shards))
		return uint32(min(n+4*uint64(math.Sqrt(float64(n))), 1<<24)) // most shards have no more
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.ids.expect(share(all))
		sh.owners.expect(share(owned))
		sh.mu.Unlock()
	}
}

func newBlock(kind byte) []byte { return append(make([]byte, headerSize, blockSize+blockSize/4), kind) }

// seal sets the header of a block.
func seal(block []byte) (sum uint32) {
	sum = crc32.Checksum(block[headerSize:], castagnoli)
	binary.LittleEndian.PutUint32(block, uint32(len(block)-headerSize))
	binary.LittleEndian.PutUint32(block[4:], sum)
	return sum
}

// appendPage appends the next live records to b.
func (sh *shard) appendPage(b []byte, cur *cursor, now int64, closed bool) (_ []byte, n int, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed && !closed {
		return b, 0, store.ErrClosed
	}
	if !cur.begun {
		cur.begun = true
		sh.iterating++
	}
	end := min(cur.next+page, int(sh.slots.n))
	for ; cur.next < end; cur.next++ {
		slot := int32(cur.next)
		if sh.slots.version(slot) == 0 || sh.slots.expires(slot) <= now {
			continue
		}
		b = appendTime(b, sh.expires(slot))
		b = binary.AppendUvarint(b, uint64(sh.slots.version(slot)))
		b = binary.AppendVarint(b, sh.store.usedAt(sh.slots.used(slot)))
		if v := sh.view(slot); v.heap == nil {
			b = appendPart(append(b, asLogged), sh.log.bytes(sh.slots.place(slot))[:v.n])
		} else {
			b = appendPart(append(b, asParts), v.heap.id)
			b = appendPart(b, v.heap.owner)
			b = appendPart(b, v.heap.data)
		}
		n++
	}
	cur.done = cur.next >= int(sh.slots.n)
	return b, n, nil
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// appendTime appends the seconds and nanoseconds since 1970, or one byte for never.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendUvarint(binary.AppendVarint(append(b, 1), t.Unix()), uint64(t.Nanosecond()))
}
