package embedded

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// logger passes on what the server logs.
type logger struct {
	log *slog.Logger

	mu  sync.Mutex
	err error
}

var _ server.Logger = (*logger)(nil)

// plaintext is about passwords in a file. Those of this package are in memory.
const plaintext = "Plaintext passwords detected, use nkeys or bcrypt"

func (l *logger) Warnf(format string, v ...any) {
	if format != plaintext {
		l.log.Warn("nats: " + fmt.Sprintf(format, v...))
	}
}

func (l *logger) Errorf(format string, v ...any) { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }

// Fatalf keeps the error for Start.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = fmt.Errorf(format, v...)
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *logger) Noticef(string, ...any) {}
func (l *logger) Debugf(string, ...any)  {}
func (l *logger) Tracef(string, ...any)  {}
