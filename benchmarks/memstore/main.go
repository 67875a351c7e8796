//go:build unix

// Command memstore prints what store/memstore takes and how fast it is with many sessions: memory,
// collections, the percentiles of lookups during churn, inserts, sweeps, listing,
// revoking and snapshots.
//
//	go run ./benchmarks/memstore            # all measurements, one after the other
//	go run ./benchmarks/memstore rss churn  # some
//
// Each measurement runs in a process of its own, since memory that one leaves would count for
// the next.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	scsmemstore "github.com/alexedwards/scs/v2/memstore"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

var (
	sessions = flag.Int("n", 5_000_000, "sessions of rss, text, binary and churn")
	million  = flag.Int("m", 1_000_000, "sessions of the others")
	seconds  = flag.Int("seconds", 20, "how long churn and mixed run")
)

var measurements = []struct {
	name string
	run  func()
}{
	{"rss", func() { fill("documents of 240 bytes", *sessions, document240, nest) }},
	{"scs", func() { fill("documents of 240 bytes in scs", *sessions, document240, ofSCS) }},
	{"map", func() { fill("documents of 240 bytes in a map", *sessions, document240, ofMap) }},
	{"text", func() { fill("240 random characters", *sessions, text240, nest) }},
	{"binary", func() { fill("240 random bytes", *sessions, binary240, nest) }},
	{"login", func() { fill("as a login leaves them, 301 bytes and an owner", *million, login, nest) }},
	{"insert", insert},
	{"churn", churn},
	{"expire", expire},
	{"list", list},
	{"revoke", revoke},
	{"mixed", mixed},
	{"snapshot", snapshot},
	{"journal", journal},
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	if one := os.Getenv("MEASURE"); one != "" {
		for _, m := range measurements {
			if m.name == one {
				m.run()
			}
		}
		return
	}
	for _, m := range measurements {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), m.name) {
			continue
		}
		self, err := os.Executable()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("== %s\n", m.name)
		c := exec.Command(self, os.Args[1:]...)
		c.Env = append(os.Environ(), "MEASURE="+m.name)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			log.Fatalf("%s: %v", m.name, err)
		}
	}
}

var ctx = context.Background()

func unlimited() *memstore.Store {
	return memstore.New(memstore.Config{MaxSessions: 100_000_000, MaxBytes: memstore.NoLimit})
}

// kept is what keeps sessions in memory.
type kept struct {
	name   string
	create func(store.Record) error
	close  func()
}

func nest() kept {
	s := unlimited()
	return kept{"nest", creates(s), func() { _ = s.Close() }}
}

func creates(s *memstore.Store) func(store.Record) error {
	return func(r store.Record) error { _, err := s.Create(ctx, r); return err }
}

func ofSCS() kept {
	s := scsmemstore.NewWithCleanupInterval(0)
	return kept{"scs", func(r store.Record) error { return s.Commit(r.ID, r.Data, r.Expires) }, func() { s = nil }}
}

// ofMap is what a service could write by hand.
func ofMap() kept {
	type entry struct {
		data    []byte
		expires int64
	}
	all := map[string]entry{}
	return kept{"map", func(r store.Record) error { all[r.ID] = entry{r.Data, r.Expires.UnixNano()}; return nil }, func() { all = nil }}
}

// id is the id of session i, of the form that package session gives it.
func id(i int) string {
	var raw [32]byte
	rng := mrand.NewPCG(uint64(i), 1)
	for j := 0; j < len(raw); j += 8 {
		x := rng.Uint64()
		for k := range 8 {
			raw[j+k] = byte(x >> (8 * k))
		}
	}
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func record(i int, owner string, data []byte) store.Record {
	return store.Record{ID: id(i), Owner: owner, Data: data, Expires: time.Now().Add(24 * time.Hour)}
}

// document240 is a stored session of 240 bytes: the members that each has, with values of its
// own.
func document240(i int) store.Record {
	x := mrand.New(mrand.NewPCG(uint64(i), 2))
	at := 1790000000000 + int64(x.IntN(1e9))
	return record(i, "", padded(x, 240, `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"`, fmt.Sprintf(
		`","roles":["r%04d"],"__nestsession":{"created":%d,"used":%d,"mac":"%s"}}`,
		x.IntN(10_000), at, at, mac(x))))
}

// padded puts random letters between head and tail.
func padded(x *mrand.Rand, size int, head, tail string) []byte {
	return []byte(head + word(x, size-len(head)-len(tail)) + tail)
}

func mac(x *mrand.Rand) string {
	return base64.RawURLEncoding.EncodeToString(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, x.Uint64()), x.Uint64()))
}

func text240(i int) store.Record {
	return record(i, "", []byte(base64.RawStdEncoding.EncodeToString(random(180))))
}

func binary240(i int) store.Record { return record(i, "", random(240)) }

// login is a session as a login leaves it: 301 bytes, of which 146 are the application's data.
func login(i int) store.Record {
	x := mrand.New(mrand.NewPCG(uint64(i), 2))
	at := 1790000000000 + int64(x.IntN(1e9))
	owner := fmt.Sprintf("user:%d", i)
	return record(i, owner, padded(x, 301, `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"name":"`, fmt.Sprintf(
		`","mail":"%s@example.com","roles":["r%04d"],"cart":[%d,%d],"__nestsession":{"created":%d,"used":%d,"owner":"%s","mac":"%s"}}`,
		word(x, 12), x.IntN(10_000), x.IntN(1e5), x.IntN(1e5), at, at, owner, mac(x))))
}

func word(x *mrand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + x.IntN(26))
	}
	return string(b)
}

// rss is the resident memory of this process in bytes.
func rss() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0 // not on Linux
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// settled is rss after the garbage of the measurement itself has gone.
func settled() int64 {
	debug.FreeOSMemory()
	return rss()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// in makes the records in bulk, so that making them is not part of the time.
func in(s *memstore.Store, from, to int, of func(int) store.Record) (took, cpu time.Duration) {
	return into(creates(s), from, to, of)
}

func into(create func(store.Record) error, from, to int, of func(int) store.Record) (took, cpu time.Duration) {
	const bulk = 10_000
	for i := from; i < to; i += bulk {
		records := make([]store.Record, 0, bulk)
		for j := i; j < min(i+bulk, to); j++ {
			records = append(records, of(j))
		}
		begin, used := time.Now(), processor()
		for _, r := range records {
			must(create(r))
		}
		took += time.Since(begin)
		cpu += processor() - used
	}
	return took, cpu
}

// processor is the CPU time of this process, which says more than the clock on a machine
// that does other things.
func processor() time.Duration {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fill(what string, n int, of func(int) store.Record, open func() kept) {
	before := settled()
	s := open()
	took, cpu := into(s.create, 0, n, of)
	after := settled()
	fmt.Printf("%d sessions, %s: %.1f bytes of memory each, everything included\n", n, what, float64(after-before)/float64(n))
	fmt.Printf("inserts, one goroutine: %.2f M/s by the clock, %.2f M for a second of the processor\n", float64(n)/took.Seconds()/1e6, float64(n)/cpu.Seconds()/1e6)
	pause := collection()
	fmt.Printf("a full collection: %v with them", pause)
	s.close()
	fmt.Printf(", %v without\n", collection())
	fmt.Printf("after Close: %.1f MB more than before\n", float64(settled()-before)/1e6)
	// For the page of benchmarks.
	fmt.Printf("BenchmarkMemory/%s/%d 1 %.1f RSS-B/session %.1f ms/collection\n", s.name, n, float64(after-before)/float64(n), pause.Seconds()*1e3)
}

// insert is how fast as many goroutines as there are processors create sessions.
func insert() {
	records := make([]store.Record, *million)
	for i := range records {
		records[i] = document240(i)
	}
	s := unlimited()
	defer s.Close()
	workers := runtime.GOMAXPROCS(0)
	begin := time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(records); i += workers {
				_, err := s.Create(ctx, records[i])
				must(err)
			}
		})
	}
	wg.Wait()
	fmt.Printf("inserts, %d goroutines: %.2f M/s by the clock\n", workers, float64(len(records))/time.Since(begin).Seconds()/1e6)
}

// collection is how long a full collection takes, the fastest of some.
func collection() time.Duration {
	best := time.Hour
	for range 9 {
		begin := time.Now()
		runtime.GC()
		best = min(best, time.Since(begin))
	}
	return best
}

// histogram counts durations in nanoseconds, with an error of at most 1/16.
type histogram struct {
	counts [64 * 16]int64
	n      int64
	most   time.Duration
}

func (h *histogram) add(d time.Duration) {
	x := uint64(max(d, 16))
	shift := 0
	for x>>shift >= 32 {
		shift++
	}
	h.counts[shift*16+int(x>>shift)-16]++
	h.n++
	h.most = max(h.most, d)
}

func (h *histogram) at(share float64) time.Duration {
	left := int64(float64(h.n) * share)
	for i, c := range h.counts {
		if left -= c; left < 0 {
			return time.Duration((i%16 + 17) << (i / 16))
		}
	}
	return h.most
}

func (h *histogram) String() string {
	return fmt.Sprintf("%d lookups: median %v, p99 %v, p99.9 %v, p99.99 %v, longest %v", h.n, h.at(.5), h.at(.99), h.at(.999), h.at(.9999), h.most)
}

// lookups loads sessions of those below n, until stop is closed.
func lookups(s *memstore.Store, n int, stop *atomic.Bool) *histogram {
	const known = 1 << 16
	ids := make([]string, known)
	for i := range ids {
		ids[i] = id(mrand.IntN(n))
	}
	h := new(histogram)
	for i := 0; !stop.Load(); i++ {
		begin := time.Now()
		_, _ = s.Load(ctx, ids[i%known])
		h.add(time.Since(begin))
		if i%64 == 0 {
			time.Sleep(100 * time.Microsecond) // leave the processor to the writers
		}
	}
	return h
}

// during runs lookups while f runs.
func during(s *memstore.Store, n int, f func()) *histogram {
	var stop atomic.Bool
	var h *histogram
	var wg sync.WaitGroup
	wg.Go(func() { h = lookups(s, n, &stop) })
	f()
	stop.Store(true)
	wg.Wait()
	return h
}

func churn() {
	s := unlimited()
	defer s.Close()
	h := during(s, *sessions, func() { in(s, 0, *sessions, document240) })
	fmt.Printf("while it grows to %d: %v\n", *sessions, h)
	const rate = 50_000
	const step = rate / 1000
	total := 0
	// The records are made before, in a ring.
	ring := make([]store.Record, rate)
	for i := range ring {
		ring[i] = document240(*sessions + i)
	}
	begin := time.Now()
	h = during(s, *sessions, func() {
		for tick := range *seconds * 1000 {
			for i := range step {
				r := &ring[(tick*step+i)%rate]
				if tick*step >= rate {
					must(s.Delete(ctx, r.ID))
				}
				_, err := s.Create(ctx, *r)
				must(err)
				total++
			}
			time.Sleep(time.Until(begin.Add(time.Duration(tick) * time.Millisecond)))
		}
	})
	fmt.Printf("with %.0f creates and as many deletes a second: %v\n", float64(total)/time.Since(begin).Seconds(), h)
}

func expire() {
	s := memstore.New(memstore.Config{MaxSessions: memstore.NoLimit, MaxBytes: memstore.NoLimit, SweepInterval: -1})
	defer s.Close()
	in(s, 0, *million, document240)
	soon := time.Now().Add(time.Second)
	in(s, *million, 2**million, func(i int) store.Record {
		r := document240(i)
		r.Expires = soon
		return r
	})
	full := settled()
	time.Sleep(time.Until(soon))
	begin, used := time.Now(), processor()
	h := during(s, *million, func() {
		n, err := s.Sweep(ctx)
		must(err)
		fmt.Printf("a sweep of %d expired among %d: %v, processor with the lookups %v\n", n, 2**million, time.Since(begin), processor()-used)
	})
	fmt.Printf("meanwhile: %v\n", h)
	fmt.Printf("memory: %.0f MB before, %.0f MB after\n", float64(full)/1e6, float64(settled())/1e6)
}

func list() {
	s := unlimited()
	defer s.Close()
	in(s, 0, *million, login)
	begin, used, n := time.Now(), processor(), 0
	for _, err := range s.List(ctx, "") {
		must(err)
		n++
	}
	fmt.Printf("List of %d: %v, processor %v\n", n, time.Since(begin), processor()-used)
}

// revoke is what RevokeOwner asks of the store: a list by owner, and an update of each.
func revoke() {
	s := unlimited()
	defer s.Close()
	in(s, 0, *million, login)
	in(s, *million, *million+100_000, func(i int) store.Record {
		r := login(i)
		r.Owner = "one"
		return r
	})
	h := during(s, *million, func() {
		begin, used, n := time.Now(), processor(), 0
		for r, err := range s.List(ctx, "one") {
			must(err)
			r.Owner, r.Data, r.Expires = "", []byte(`{"__nestsession":{"ended":true,"created":1790000000000}}`), time.Now().Add(time.Minute)
			_, err = s.Update(ctx, r)
			must(err)
			n++
		}
		fmt.Printf("List by owner and Update of %d: %v, processor with the lookups %v\n", n, time.Since(begin), processor()-used)
	})
	fmt.Printf("meanwhile: %v\n", h)
}

// mixed changes sessions of all sizes for a long time, and compares the memory with what lives.
func mixed() {
	n := *million / 4
	s := memstore.New(memstore.Config{MaxSessions: 100_000_000, MaxBytes: memstore.NoLimit})
	defer s.Close()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id(i)
	}
	before := settled()
	x := mrand.New(mrand.NewPCG(1, 3))
	source := random(64 << 10)
	data := func() []byte {
		size := 50 << x.IntN(8) // 50 to 12,800
		size += x.IntN(size)
		at := x.IntN(len(source) - size)
		return source[at : at+size]
	}
	expires := time.Now().Add(time.Hour)
	ops := 0
	for begin := time.Now(); time.Since(begin) < time.Duration(*seconds)*time.Second; ops++ {
		i := x.IntN(n)
		r, err := s.Load(ctx, ids[i])
		switch {
		case err != nil:
			_, err = s.Create(ctx, store.Record{ID: ids[i], Owner: "user:" + ids[i][:6], Data: slices.Clone(data()), Expires: expires})
		case x.IntN(3) == 0:
			err = s.Delete(ctx, ids[i])
		default:
			r.Data = slices.Clone(data())
			_, err = s.Update(ctx, r)
		}
		must(err)
	}
	var live int64
	count := 0
	for r, err := range s.List(ctx, "") {
		must(err)
		live += int64(len(r.ID) + len(r.Owner) + len(r.Data))
		count++
	}
	after := settled()
	fmt.Printf("%d operations, %d sessions, %.0f MB of ids, owners and data: %.0f MB of memory, %.2f times as much\n",
		ops, count, float64(live)/1e6, float64(after-before)/1e6, float64(after-before)/float64(live))
}

func snapshot() {
	folder, err := os.MkdirTemp("", "memstore")
	must(err)
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "sessions")
	c := memstore.Config{MaxSessions: 100_000_000, MaxBytes: memstore.NoLimit}
	s, err := memstore.Open(file, c)
	must(err)
	in(s, 0, *million, login)
	begin, used := time.Now(), processor()
	must(s.Close())
	fmt.Printf("Close that writes %d: %v, processor %v\n", *million, time.Since(begin), processor()-used)
	begin, used = time.Now(), processor()
	s, err = memstore.Open(file, c)
	must(err)
	fmt.Printf("Open that restores %d: %v, processor %v\n", s.Stats().Sessions, time.Since(begin), processor()-used)
	must(s.Close())
}

// journal is what the file of the changes costs a create, and a start after the process was killed.
func journal() {
	const n = 100_000 // fewer than those that have a snapshot written
	folder, err := os.MkdirTemp("", "memstore")
	must(err)
	defer os.RemoveAll(folder)
	c := memstore.Config{MaxSessions: 100_000_000, MaxBytes: memstore.NoLimit}
	live, killed := filepath.Join(folder, "live"), filepath.Join(folder, "killed")
	must(os.Mkdir(live, 0o700))
	for _, file := range []string{"", filepath.Join(live, "sessions")} {
		s := memstore.New(c)
		if file != "" {
			s, err = memstore.Open(file, c)
			must(err)
		}
		_, cpu := in(s, 0, n, login)
		if file == "" {
			fmt.Printf("creates without a file: %v of the processor each\n", cpu/n)
			s.Close()
			continue
		}
		fmt.Printf("creates with a journal: %v of the processor each\n", cpu/n)
		must(os.CopyFS(killed, os.DirFS(live)))
		must(s.Close())
		begin, used := time.Now(), processor()
		s, err = memstore.Open(filepath.Join(killed, "sessions"), c)
		must(err)
		fmt.Printf("Open that replays %d changes: %v, processor %v\n", s.Stats().Sessions, time.Since(begin), processor()-used)
		must(s.Close())
	}
}
