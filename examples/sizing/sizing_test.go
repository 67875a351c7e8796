package sizing_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// sessions is how many are measured.
const sessions = 100_000

// document is a session's of 250 bytes: a user, a role, the cookie's settings and our
// own bookkeeping. i makes it as long as the others.
func document(i int) []byte {
	return fmt.Appendf(nil, `{"cookie":{"originalMaxAge":604800000,"expires":"2026-11-30T18:07:49.000Z","secure":true,"httpOnly":true,"path":"/","sameSite":"lax"},`+
		`"user":"ada-%06d@example.test","role":"buyer","__nestsession":{"created":1795452469000,"used":1795452469000,"owner":"user:%06d"}}`, i, i)
}

// record is the i-th session: its key is the hash of an id, as package session has it.
// With an owner each user has one session.
func record(i int, owned bool) store.Record {
	sum := sha256.Sum256(fmt.Appendf(nil, "id %d", i))
	r := store.Record{
		ID:      base64.RawURLEncoding.EncodeToString(sum[:]),
		Data:    document(i),
		Expires: time.Now().Add(7 * 24 * time.Hour),
	}
	if owned {
		r.Owner = fmt.Sprintf("user:%06d", i)
	}
	return r
}

// fill creates all sessions with several callers, and returns their versions.
func fill(b *testing.B, s store.Store, owned bool) {
	b.Helper()
	each(b, func(ctx context.Context, i int) error {
		_, err := s.Create(ctx, record(i, owned))
		return err
	})
}

// churn saves each session twice more and touches it once, as a few visits do.
func churn(b *testing.B, s store.Store) {
	b.Helper()
	each(b, func(ctx context.Context, i int) error {
		r, err := s.Load(ctx, record(i, false).ID)
		for range 2 {
			if err == nil {
				r.Version, err = s.Update(ctx, r)
			}
		}
		if err == nil {
			err = s.Touch(ctx, r.ID, r.Expires.Add(time.Hour))
		}
		return err
	})
}

// each calls f for all sessions, 8 at a time.
func each(b *testing.B, f func(ctx context.Context, i int) error) {
	b.Helper()
	const callers = 8
	errs := make(chan error, callers)
	for c := range callers {
		go func() {
			for i := c; i < sessions; i += callers {
				if err := f(b.Context(), i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}

// report gives bytes a session, and runs the benchmark but once however long it is
// asked to run.
func report(b *testing.B, before, after int64, unit string) {
	b.Helper()
	b.ReportMetric(float64(after-before)/sessions, unit)
	b.ReportMetric(0, "ns/op")
}

func TestTheDocumentIsTypical(t *testing.T) {
	t.Parallel()
	if n := len(document(1)); n < 240 || n > 280 {
		t.Errorf("%d bytes, want about 250", n)
	}
}
