package session

import (
	"fmt"
	"io"
	"log/slog"
)

// Format prints the session's digest, whatever the verb: a session that gets into a
// log line or an error by accident does not take its id there.
func (s *Session[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "session "+s.Digest()) }

// LogValue is Format for log/slog.
func (s *Session[T]) LogValue() slog.Value { return slog.StringValue(s.Digest()) }
