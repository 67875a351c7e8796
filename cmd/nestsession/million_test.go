package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
)

const (
	// crowdVariable says how many sessions TestLongMoveLosesNone moves. The whole million,
	// in some minutes:
	//
	//	NESTSESSION_MOVE_SESSIONS=1000000 go test -run TestLongMoveLosesNone -v -timeout 1h ./cmd/nestsession
	crowdVariable = "NESTSESSION_MOVE_SESSIONS"

	// defaultCrowd takes about a minute there and back on two busy cores with the race detector.
	defaultCrowd = 60_000

	// maxResident is the memory that the command may use, however many sessions there are, in KiB:
	// with the race detector nearly 200 MiB, without it under 40.
	maxResident = 320 << 10
)

// crowd is many sessions, all different, whose content follows from their numbers.
type crowd struct {
	n       int
	expires time.Time
}

func (c crowd) record(i int) store.Record {
	sum := sha256.Sum256(strconv.AppendInt(nil, int64(i), 10))
	owner := ""
	if i%10 != 0 {
		owner = fmt.Sprintf("user:%d", i%(c.n/3+1))
	}
	used := c.expires.UnixMilli() - int64(i%1000)
	return store.Record{
		ID:    base64.RawURLEncoding.EncodeToString(sum[:]),
		Owner: owner,
		Data: fmt.Appendf(nil, `{"cookie":{"originalMaxAge":604800000,"expires":%q,"httpOnly":true,"path":"/","sameSite":"lax"},`+
			`"user":{"id":%d,"username":"kïm %d"},"cart":["a","b"],"__nestsession":{"created":%d,"used":%d,"owner":%q}}`,
			c.expires.Format(time.RFC3339), i, i, used-1000, used, owner),
		Expires: c.expires.Add(time.Duration(i%100_000) * time.Millisecond),
	}
}

func (c crowd) fill(t *testing.T, s store.Store) {
	t.Helper()
	var wg sync.WaitGroup
	const writers = 64
	for w := range writers {
		wg.Go(func() {
			for i := w; i < c.n; i += writers {
				if _, err := s.Create(t.Context(), c.record(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// check fails unless the store has exactly these sessions, unchanged.
func (c crowd) check(t *testing.T, s store.Store) {
	t.Helper()
	number := regexp.MustCompile(`"user":{"id":(\d+),`)
	seen := make([]bool, c.n)
	lister, _ := store.As[store.Lister](s)
	count := 0
	for got, err := range lister.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		count++
		found := number.FindSubmatch(got.Data)
		if found == nil {
			t.Fatalf("a session that was never made: %s", got.Data)
		}
		i, err := strconv.Atoi(string(found[1]))
		if err != nil || i >= c.n || seen[i] {
			t.Fatalf("a session that was never made, or twice: %s", got.Data)
		}
		seen[i] = true
		want := c.record(i)
		if got.ID != want.ID || got.Owner != want.Owner || string(got.Data) != string(want.Data) || !got.Expires.Equal(want.Expires) {
			t.Fatalf("session %d is\n%+v\nwant\n%+v", i, got, want)
		}
	}
	if count != c.n {
		t.Fatalf("%d sessions are there, want %d", count, c.n)
	}
}

func open(t *testing.T, url string) *stores.Opened {
	t.Helper()
	target, err := storeurl.Parse(url, false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := stores.Open(t.Context(), target, stores.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// command runs this program in a process of its own.
func command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, args...)
	c.Args[0] = "nestsession" // TestMain then runs the command instead of tests
	return c, nil
}

// Sessions are copied from Redis to PostgreSQL and back, and all are there unchanged, by a process
// whose memory does not depend on their number.
func TestLongMoveLosesNone(t *testing.T) {
	t.Parallel()
	c := crowd{n: defaultCrowd, expires: time.Now().UTC().Truncate(time.Second).Add(7 * 24 * time.Hour)}
	if text := os.Getenv(crowdVariable); text != "" {
		var err error
		if c.n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", crowdVariable, err)
		}
	}
	redis := servers.StartRedis(t, servers.RedisOptions{})
	postgres := servers.StartPostgres(t, servers.PostgresOptions{})
	first, second := "redis://"+redis.Addr()+"?prefix=first:", "redis://"+redis.Addr()+"?prefix=second:"
	between := postgres.NewDatabase(t) + "&create=true"

	begun := time.Now()
	c.fill(t, open(t, first))
	t.Logf("made %d sessions in %v", c.n, time.Since(begun))
	moveAll(t, c.n, first, between)
	c.check(t, open(t, between))
	moveAll(t, c.n, between, second)
	c.check(t, open(t, second))
	c.check(t, open(t, first)) // the source is unchanged
}

func moveAll(t *testing.T, n int, from, to string) {
	t.Helper()
	begun := time.Now()
	c, err := command(t.Context(), "move", "--ledger", filepath.Join(t.TempDir(), "ledger"), "--from", from, "--to", to)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%9d copied\n", n)) {
		t.Fatalf("move: %v\n%s", err, out)
	}
	took := time.Since(begun)
	peak := int64(-1)
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = int64(usage.Maxrss)
		if runtime.GOOS == "darwin" {
			peak >>= 10 // it counts in bytes
		}
	}
	t.Logf("moved %d sessions in %v, %.0f a second, with at most %d MiB resident", n, took, float64(n)/took.Seconds(), peak>>10)
	if peak > maxResident {
		t.Errorf("the command took %d MiB", peak>>10)
	}
}
