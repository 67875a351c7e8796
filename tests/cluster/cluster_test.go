package cluster

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
)

var (
	minutes = flag.Float64("minutes", 1, "how long TestLongCluster disturbs each store")
	seed    = flag.Uint64("seed", 1, "the seed of TestLongCluster")
	people  = flag.Int("users", 60, "the number of users of TestLongCluster")
)

// clusters is how many clusters run at the same time. They wait more than they compute.
const clusters = "3"

func TestMain(m *testing.M) {
	if text := os.Getenv(nodeMode); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	_ = flag.Set("test.parallel", clusters) // a -parallel of the command line comes later
	os.Exit(servers.Main(m))
}

func check(t *testing.T, o options) {
	t.Helper()
	wrong, table := do(t, o)
	t.Logf("%s, seed %d, %d users, %v:\n%s", o.store, o.seed, o.users, o.length, table)
	for _, w := range wrong[:min(len(wrong), 20)] {
		t.Error(w)
	}
	if t.Failed() {
		t.Logf("repeat it with make cluster STORE=%s SEED=%d USERS=%d MINUTES=%.2f", o.store, o.seed, o.users, o.length.Minutes())
	}
}

// TestShortRun is a short run: the store hangs, and a node dies.
func TestShortRun(t *testing.T) {
	t.Parallel()
	check(t, options{store: "redis", seed: 1, users: 100, length: 10 * time.Second, pace: 300 * time.Millisecond, patience: time.Minute,
		only: []string{"killed", "frozen"}})
}

// TestLongCluster disturbs each store in each way. `make cluster` runs one store after the other for longer.
func TestLongCluster(t *testing.T) {
	for _, name := range storeNames() {
		t.Run(name, func(t *testing.T) {
			if *minutes <= 1 {
				t.Parallel()
			}
			check(t, options{store: name, seed: *seed, users: *people, length: time.Duration(*minutes * float64(time.Minute)),
				pace: paceOf(*people), patience: time.Minute})
		})
	}
}

// paceOf returns the pauses with which that many users make at most some 300 choices a second.
func paceOf(users int) time.Duration {
	return max(time.Second, time.Duration(users)*3*time.Millisecond)
}

// bugs are those that can be planted, and what the checker finds.
var bugs = map[string]string{
	plantStale:  "after its logout",
	plantExpiry: "the cookie of a login was taken away",
	plantEarly:  "was lost: it was acknowledged",
}

// TestPlanted: each bug that is planted in the nodes is found.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for plant := range bugs {
		planted(t, plant, "redis")
	}
}

// TestLongPlanted: those that depend on the store are also found on others. With Sentinel and with NATS
// servers of their own the nodes have the same store as here.
func TestLongPlanted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redis-cluster", "postgres", "embedded"} {
		planted(t, plantStale, name)
		planted(t, plantEarly, name)
	}
}

func planted(t *testing.T, plant, store string) {
	finds := bugs[plant]
	t.Run(plant+", "+store, func(t *testing.T) {
		t.Parallel()
		wrong, _ := do(t, options{store: store, seed: 1, users: 30, length: 2 * time.Minute, pace: 150 * time.Millisecond,
			patience: time.Minute, plant: plant, finds: finds, only: []string{"nothing"}})
		if !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, finds) }) {
			t.Errorf("found %q, want %q", wrong, finds)
		}
	})
}

// TestTheSeedReplaysTheChoices: users with the same seed choose the same, and the same is disturbed in
// the same order.
func TestTheSeedReplaysTheChoices(t *testing.T) {
	t.Parallel()
	all := func(seed uint64) (made []any) {
		r := &run{o: options{seed: seed, length: time.Minute}}
		for i := range 3 {
			u := newUser(r, i)
			for range 1000 {
				made = append(made, choose(u.random, time.Second))
			}
		}
		for _, d := range r.chosen(r.chaos()) {
			made = append(made, d.name)
		}
		return made
	}
	if !slices.Equal(all(1), all(1)) {
		t.Error("the same seed gives other choices")
	}
	for other := range uint64(5) {
		first, second := all(other), all(other+1)
		if slices.Equal(first, second) {
			t.Errorf("the seeds %d and %d give the same choices", other, other+1)
		}
	}
}
