// Package report writes to a manager's log: what happens to sessions, and warnings that
// would otherwise fill it.
package report

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// Entry is an event as the log shows it. The log omits what is "" or nil.
type Entry struct {
	Kind    string
	Session string // its digest
	Owner   string
	Reason  string
	Err     error
}

// Write writes the event to the log.
func (e *Entry) Write(ctx context.Context, log *slog.Logger, level slog.Level) {
	attrs := make([]slog.Attr, 0, 4)
	for _, a := range [...]slog.Attr{
		slog.String("session", e.Session), slog.String("owner", e.Owner), slog.String("reason", e.Reason),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	log.LogAttrs(ctx, level, "session: "+e.Kind, attrs...)
}

// Warning limits how often the log gets a warning that is the same for many requests.
type Warning struct {
	last atomic.Int64 // when it was logged, in seconds since 1970
}

// Due reports whether to log the warning now: once in every so often.
func (w *Warning) Due(now time.Time, every time.Duration) bool {
	seconds, before := now.Unix(), w.last.Load()
	return seconds-before >= int64(every.Seconds()) && w.last.CompareAndSwap(before, seconds)
}
