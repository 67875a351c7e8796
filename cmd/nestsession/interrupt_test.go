package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

// A copy that is interrupted with Ctrl-C reports how far it came, and the same command finishes it.
func TestMoveIsInterruptedAndRunAgain(t *testing.T) {
	t.Parallel()
	c := crowd{n: 20_000, expires: time.Now().UTC().Truncate(time.Second).Add(24 * time.Hour)}
	from := "redis://:" + servers.SharedRedis(t).Password() + "@" + servers.SharedRedis(t).Addr() + "?prefix=broken-off:"
	to := servers.SharedPostgres(t).NewDatabase(t) + "&create=true"
	c.fill(t, open(t, from))
	destination := open(t, to)
	ledger := filepath.Join(t.TempDir(), "ledger")

	move, err := command(t.Context(), "move", "--workers", "1", "--ledger", ledger, "--from", from, "--to", to)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	move.Stdout, move.Stderr = &out, &out
	if err := move.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := int64(0); n < 100; <-tick.C {
		if n, err = destination.Estimate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := move.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := move.Wait(); move.ProcessState.ExitCode() != 1 {
		t.Fatalf("it ended with %v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "interrupted: run the same command again to copy the rest") {
		t.Errorf("it said\n%s", out.String())
	}
	n, err := destination.Estimate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n >= int64(c.n) {
		t.Fatal("it was done before it was interrupted")
	}
	if got := regexp.MustCompile(`(\d+) copied\n`).FindStringSubmatch(out.String()); got == nil || got[1] != fmt.Sprint(n) {
		t.Errorf("%d are there, and it said\n%s", n, out.String())
	}

	again, err := command(t.Context(), "move", "--ledger", ledger, "--from", from, "--to", to)
	if err != nil {
		t.Fatal(err)
	}
	text, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(text), fmt.Sprintf("%9d copied\n%9d there already\n", int64(c.n)-n, n)) {
		t.Errorf("again: %v\n%s", err, text)
	}
	c.check(t, destination)
	for _, password := range []string{servers.SharedRedis(t).Password(), servers.SharedPostgres(t).Password()} {
		if strings.Contains(out.String()+string(text), password) {
			t.Error("it told a password")
		}
	}
}
