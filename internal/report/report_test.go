package report_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/report"
)

func TestTheLogOmitsWhatAnEventDoesNotHave(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]report.Entry{
		`msg="session: created"`: {Kind: "created"},
		`msg="session: dropped" session=d1 owner=user:42 reason=why error=down`: {
			Kind: "dropped", Session: "d1", Owner: "user:42", Reason: "why", Err: errors.New("down")},
	} {
		var b strings.Builder
		e.Write(context.Background(), slog.New(slog.NewTextHandler(&b, nil)), slog.LevelWarn)
		if !strings.HasSuffix(b.String(), " level=WARN "+want+"\n") {
			t.Errorf("the log has %q, want %q", b.String(), want)
		}
	}
}

func TestAWarningIsDueOnceInEverySoOften(t *testing.T) {
	t.Parallel()
	var w report.Warning
	at := time.Unix(1_000_000, 0)
	for _, step := range []struct {
		after time.Duration
		due   bool
	}{{0, true}, {0, false}, {59 * time.Second, false}, {time.Second, true}, {time.Second, false}} {
		at = at.Add(step.after)
		if got := w.Due(at, time.Minute); got != step.due {
			t.Errorf("%v: due %v, want %v", at, got, step.due)
		}
	}
}
