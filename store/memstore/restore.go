package memstore

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nestsession/session/internal/arena"
	"github.com/nestsession/session/internal/pack"
	"github.com/nestsession/session/store"
)

// restore reads the file, if there is one, and the journals.
func (s *Store) restore() error {
	journals, err := s.saves.journal.numbers()
	if err != nil {
		return fmt.Errorf("memstore: journal: %w", err)
	}
	now, asOf := s.clock.now(), int64(past)
	if len(journals) == 0 {
		asOf = now
	}
	switch f, err := os.Open(s.saves.file); {
	case err == nil:
		defer f.Close()
		if err := s.readFrom(f, asOf, now); err != nil {
			return s.saves.explain(s.saves.file, "snapshot", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("memstore: snapshot: %w", err)
	}
	if len(journals) == 0 {
		return nil
	}
	return s.replay(journals, now)
}

// explain says what to do about a file that was not restored.
func (w *saver) explain(name, what string, err error) error {
	switch {
	case errors.Is(err, errForeign):
		return fmt.Errorf("memstore: %s is not a %s of sessions: name another file", name, what)
	case errors.Is(err, errNewer):
		return fmt.Errorf("memstore: a newer version of this package wrote the %s %s: use that version, or remove %s* and begin without its sessions", what, name, w.file)
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("memstore: the %s %s has more sessions than Config.MaxSessions and Config.MaxBytes allow: raise them, or let Config.AtLimit evict sessions: %w", what, name, err)
	case errors.Is(err, errDamaged), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("memstore: the %s %s is damaged, and nothing of it is used: take an older copy of %s*, or remove them and begin without their sessions", what, name, w.file)
	}
	return fmt.Errorf("memstore: the %s %s cannot be read: %w", what, name, err)
}

var (
	errForeign = errors.New("not a snapshot")
	errNewer   = errors.New("a newer snapshot")
	errDamaged = errors.New("damaged")
)

func (s *Store) readFrom(f *os.File, asOf, now int64) error {
	in := bufio.NewReaderSize(f, blockSize)
	head := make([]byte, len(snapshotName)+len(snapshotVersion))
	if _, err := io.ReadFull(in, head[:len(snapshotName)]); err != nil || string(head[:len(snapshotName)]) != snapshotName {
		return errForeign
	}
	version := head[len(snapshotName):]
	if _, err := io.ReadFull(in, version); err != nil {
		return errDamaged
	}
	if string(version) != snapshotVersion {
		return errNewer
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.saves.journal.most = max(info.Size(), leastJournal)
	most := uint64(min(info.Size()/leastRecord, s.limits.maxSessions))
	sizes := func(b []byte) {
		p := parts{b: b}
		s.expect(min(p.uvarint(), most), min(p.uvarint(), most))
	}
	work := newRestorers(s, asOf, now)
	err = readBlocks(in, sizes, work.take, func(count, last uint64, dict []byte) error {
		if restored, err := work.wait(); err != nil || restored != count {
			return cmp.Or(err, errDamaged)
		}
		s.versions.Store(max(s.versions.Load(), last))
		s.words.current.Store(pack.New(dict))
		return nil
	})
	_, failed := work.wait()
	return cmp.Or(err, failed)
}

// leastRecord is how many bytes a record takes in the file at least.
const leastRecord = 8

// readBlocks calls sizes and records with the contents of each such block, and then end with the
// number of records, the last version and the dictionary that the file says.
func readBlocks(in *bufio.Reader, sizes, records func([]byte), end func(count, version uint64, dict []byte) error) error {
	var chain uint32
	for {
		var header [headerSize]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return err
		}
		n, sum := binary.LittleEndian.Uint32(header[:]), binary.LittleEndian.Uint32(header[4:])
		if n == 0 || n > maxBlock {
			return errDamaged
		}
		b, err := readBlock(in, int(n))
		if err != nil {
			return err
		}
		if crc32.Checksum(b, castagnoli) != sum {
			return errDamaged
		}
		switch b[0] {
		case sizesBlock:
			sizes(b[1:])
		case recordsBlock:
			records(b[1:])
			chain = crc32.Update(chain, castagnoli, header[4:])
		case lastBlock:
			if len(b) < lastSize || len(b) > lastSize+pack.MaxDict || binary.LittleEndian.Uint32(b[17:]) != chain {
				return errDamaged
			}
			if _, err := in.ReadByte(); err != io.EOF {
				return errDamaged
			}
			return end(binary.LittleEndian.Uint64(b[1:]), binary.LittleEndian.Uint64(b[9:]), b[lastSize:])
		default:
			return errDamaged
		}
	}
}

// restorers add the records of blocks, on several processors.
type restorers struct {
	blocks chan []byte
	done   sync.WaitGroup
	end    func()

	mu    sync.Mutex
	count uint64
	err   error
}

// newRestorers returns restorers of what expires after asOf.
func newRestorers(s *Store, asOf, now int64) *restorers {
	const most = 4
	w := &restorers{blocks: make(chan []byte, most)}
	w.end = sync.OnceFunc(func() { close(w.blocks) })
	for range min(runtime.GOMAXPROCS(0), most) {
		w.done.Go(func() {
			r := restorer{store: s, asOf: asOf, now: now}
			var count uint64
			var err error
			for b := range w.blocks {
				if err == nil {
					var n uint64
					n, err = r.parse(b)
					count += n
				}
			}
			err = cmp.Or(err, r.flush())
			w.mu.Lock()
			defer w.mu.Unlock()
			w.count += count
			w.err = cmp.Or(w.err, err)
		})
	}
	return w
}

func (w *restorers) take(block []byte) { w.blocks <- block }

// wait ends the work, and returns how many records there were.
func (w *restorers) wait() (uint64, error) {
	w.end()
	w.done.Wait()
	return w.count, w.err
}

// readBlock reads n bytes. A damaged length does not make it allocate much more than the file
// has.
func readBlock(in io.Reader, n int) ([]byte, error) {
	b := make([]byte, 0, min(n, 2*blockSize))
	for len(b) < n {
		at, step := len(b), min(n-len(b), 2*blockSize)
		b = slices.Grow(b, step)[:at+step]
		if _, err := io.ReadFull(in, b[at:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// parts reads the fields of records. Once it has failed, it returns zeros.
type parts struct {
	b      []byte
	failed bool
}

func (p *parts) skip(n int) []byte {
	if n < 0 || n > len(p.b) {
		p.failed, p.b, n = true, nil, 0
	}
	part := p.b[:n:n]
	p.b = p.b[n:]
	return part
}

func (p *parts) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		n = -1
	}
	p.skip(n)
	return v
}

func (p *parts) varint() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		n = -1
	}
	p.skip(n)
	return v
}

func (p *parts) bytes() []byte { return p.skip(int(min(p.uvarint(), maxBlock))) }

func (p *parts) time() time.Time {
	if kind := p.skip(1); p.failed || kind[0] == 0 {
		return time.Time{}
	}
	seconds := p.varint()
	return time.Unix(seconds, int64(p.uvarint()%uint64(time.Second)))
}

// restorer adds records. It collects those of several blocks and adds them shard by shard: the
// file has them in an order that is any for this store, and each shard's memory is another.
type restorer struct {
	store     *Store
	asOf, now int64

	bytes   int // of the blocks
	records []pending
	order   []int32 // of records
	ends    []int32 // in order, of each shard's
}

type pending struct {
	encoded
	size    int64
	version store.Version
	used    int64
}

// restoredAtOnce is how many bytes of blocks a restorer collects.
const restoredAtOnce = 4 << 20

// parse takes the records of a block, but not those that had expired, and returns their number,
// with those.
func (r *restorer) parse(b []byte) (count uint64, err error) {
	for p := (parts{b: b}); len(p.b) > 0; count++ {
		e := encoded{expires: p.time()}
		e.due = deadline(e.expires)
		version, used := store.Version(p.uvarint()), r.store.use(p.varint())
		size := p.record(r.store, &e)
		if p.failed || version == 0 || version > max48 {
			return count, errDamaged
		}
		if e.due > r.asOf {
			r.records = append(r.records, pending{e, size, version, used})
		}
	}
	if r.bytes += len(b); r.bytes >= restoredAtOnce {
		err = r.flush()
	}
	return count, err
}

// flush adds the records.
func (r *restorer) flush() error {
	shards := len(r.store.shards)
	r.ends = append(r.ends[:0], make([]int32, shards+1)...)
	for i := range r.records {
		r.ends[r.records[i].key.hash&r.store.mask+1]++
	}
	for i := range shards {
		r.ends[i+1] += r.ends[i]
	}
	r.order = append(r.order[:0], make([]int32, len(r.records))...)
	for i := range r.records {
		at := &r.ends[r.records[i].key.hash&r.store.mask]
		r.order[*at] = int32(i)
		*at++
	}
	for _, i := range r.order {
		e := &r.records[i]
		if err := r.store.restoreRecord(&e.encoded, e.size, e.version, e.used, r.now); err != nil {
			return err
		}
	}
	clear(r.records)
	r.records, r.bytes = r.records[:0], 0
	return nil
}

// record reads id, owner and data into e, and returns what the record counts.
func (p *parts) record(s *Store, e *encoded) (size int64) {
	switch kind := p.skip(1); {
	case p.failed:
		return 0
	case kind[0] == asParts:
		e.key = s.key(string(p.bytes()))
		e.owner = string(p.bytes())
		e.data = slices.Clone(p.bytes()) // it is kept as it is
		p.failed = p.failed || e.key.text == ""
		return e.size()
	}
	e.log = p.bytes()
	r := parts{b: e.log}
	var v view
	if kind := r.skip(1); !r.failed {
		if v.isRaw = kind[0]&hasRawKey != 0; v.isRaw {
			v.key = r.skip(rawKey)
		} else {
			v.key = r.bytes()
		}
		if kind[0]&hasOwner != 0 {
			v.owner = r.bytes()
		}
	}
	length := r.skip(2)
	if r.failed || len(r.b) == 0 || len(r.b) != int(binary.LittleEndian.Uint16(length)) || len(v.key) == 0 || len(e.log) > arena.Size/2 {
		p.failed = true
		return 0
	}
	v.packed = r.b
	e.owner = string(v.owner)
	e.key = key{isRaw: v.isRaw, hash: v.hash(s.seed)}
	if v.isRaw {
		e.key.raw = [rawKey]byte(v.key)
	} else {
		e.key.text = string(v.key)
	}
	return v.size()
}

func (s *Store) restoreRecord(e *encoded, size int64, version store.Version, used, now int64) error {
	sh := s.shardOf(&e.key)
	for {
		err := sh.restore(e, size, version, used)
		switch {
		case err == nil:
			s.sweep.arm(s, e.expires)
			return nil
		case err != errNoRoom:
			return err
		case s.removeOne(&e.key, now, used):
		case s.limits.evicts:
			s.limits.evicted.Add(1) // it was not used for longer than the others
			return nil
		default:
			return store.ErrFull
		}
	}
}

// restore adds e as it was. If its id is there, which has been deleted and created anew while
// the snapshot was written, the later version stays.
func (sh *shard) restore(e *encoded, size int64, version store.Version, used int64) error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if slot, v := sh.find(&e.key); slot != none {
		if sh.slots.version(slot) >= version {
			return nil
		}
		sh.end(slot, &v)
	}
	if sh.full(e) || !sh.store.limits.reserve(1, size) {
		return errNoRoom
	}
	sh.insert(e, version, used)
	sh.lastUse = max(sh.lastUse, used)
	return nil
}
