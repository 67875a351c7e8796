package events

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session"
)

// Config configures a [Log].
type Config struct {
	// Path is the file. Its former files have a number at the end, 1 being the newest.
	Path string

	// Out is written to if Path is "". It is not rotated, and not closed.
	Out io.Writer

	// MaxBytes is the size that a file does not exceed.
	MaxBytes int64

	// MaxFiles is how many files there are at most, this one included.
	MaxFiles int

	// Node names this process.
	Node string

	// Logger is told when events cannot be written, once, and when they can be again.
	Logger *slog.Logger
}

const (
	maxQueue = 4096     // lines that wait for the disk
	maxBatch = 32 << 10 // bytes in one write

	// maxClose is how long Close waits for a disk that hangs.
	maxClose = 5 * time.Second
)

// Log writes events. Requests never wait for it: if the disk is too slow for the events, or full, lines
// are lost. The log then has a line with [KindLost].
type Log struct {
	cfg  Config
	out  io.Writer
	file *file // nil for Config.Out

	queue chan []byte
	stop  chan struct{}
	ended chan struct{}

	lost    atomic.Int64 // lines that the log does not have, and does not mention yet
	warned  atomic.Bool  // that it cannot write
	strange strangers
	partial bool // the last write ended in the middle of a line
}

// Open begins a log, or continues it.
func Open(cfg Config) (*Log, error) {
	l := &Log{
		cfg: cfg, out: cfg.Out,
		queue: make(chan []byte, maxQueue), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if cfg.Path != "" {
		l.file = &file{path: cfg.Path, maxBytes: cfg.MaxBytes, maxFiles: cfg.MaxFiles}
		l.out = l.file
		if err := l.file.open(); err != nil {
			return nil, err
		}
	}
	go l.run()
	return l, nil
}

// OnEvent writes an event. It is meant for [session.Config].
func (l *Log) OnEvent(ctx context.Context, e session.Event) {
	if nameless(&e) && !l.strange.admit(e.Time) {
		return
	}
	select {
	case l.queue <- lineOf(ctx, l.cfg.Node, e):
	default:
		l.lost.Add(1)
		l.warn(errors.New("the disk is too slow for the events"))
	}
}

// nameless reports whether an event is of a refused cookie, or a refused proof of a device, that
// names no session.
func nameless(e *session.Event) bool {
	return e.Digest == "" && e.Owner == "" && (e.Kind == session.EventRejected || strings.HasPrefix(string(e.Kind), "device "))
}

// maxStrangers is how many refused cookies that name no session are written in a minute. Anybody can
// send any number of them, and they would push the events of sessions out of the files.
const maxStrangers = 100

// strangers counts them.
type strangers struct {
	mu     sync.Mutex
	minute time.Time
	n      int
}

func (s *strangers) admit(at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if minute := at.Truncate(time.Minute); minute != s.minute {
		s.minute, s.n = minute, 0
	}
	s.n++
	return s.n <= maxStrangers
}

// Close writes what is waiting. Events after it are ignored.
func (l *Log) Close() error {
	close(l.stop)
	select {
	case <-l.ended:
	case <-time.After(maxClose):
		return errors.New("the last events are not written: the disk does not answer")
	}
	if l.file != nil {
		return l.file.close()
	}
	return nil
}

// run writes lines until Close, several at once if they are waiting.
func (l *Log) run() {
	defer close(l.ended)
	for {
		select {
		case line := <-l.queue:
			l.writeWith(line)
			continue
		default:
		}
		select {
		case line := <-l.queue:
			l.writeWith(line)
		case <-l.stop:
			for len(l.queue) > 0 {
				l.writeWith(<-l.queue)
			}
			return
		}
	}
}

// writeWith writes a line and those that wait behind it.
func (l *Log) writeWith(line []byte) {
	batch, n := line, int64(1)
	for len(batch) < maxBatch {
		select {
		case next := <-l.queue:
			batch = append(batch, next...)
			n++
			continue
		default:
		}
		break
	}
	before := l.lost.Load()
	if before > 0 {
		batch = append(encoded(Line{Time: time.Now().UTC(), Node: l.cfg.Node, Kind: KindLost, Lost: before}), batch...)
	}
	if l.partial {
		batch = append([]byte("\n"), batch...)
	}
	written, err := l.out.Write(batch)
	if written > 0 {
		l.partial = batch[written-1] != '\n'
	}
	if err != nil {
		// The lines before the fault are there. A mention of the lost ones among them may be, too.
		mentioned := min(before, 1)
		kept := max(int64(bytes.Count(batch[:written], []byte("\n")))-mentioned, 0)
		l.lost.Add(max(n-kept, 0))
		l.warn(err)
		return
	}
	l.lost.Add(-before)
	if l.warned.Swap(false) {
		l.cfg.Logger.Info("events are written again", slog.Int64("lost", before))
	}
}

func (l *Log) warn(err error) {
	if !l.warned.Swap(true) {
		l.cfg.Logger.Error("events cannot be written: requests continue, and events are lost until writing works again", slog.Any("error", err))
	}
}
