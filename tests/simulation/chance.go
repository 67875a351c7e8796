package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nestsession/session/internal/backoff"
)

// chance is a source of random numbers for a part of the world. Each part has its own, so that the
// order in which parts draw makes no difference.
type chance struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func newChance(seed uint64, name string) *chance {
	h := fnv.New64a()
	h.Write([]byte(name))
	return &chance{rand: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// in returns true in so many of a thousand cases.
func (c *chance) in(thousand int) bool { return c.below(1000) < thousand }

func (c *chance) below(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

// wait is a random time up to d. No two are the same, to the nanosecond, so that no two things
// happen at the same time.
func (c *chance) wait(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return 1 + time.Duration(c.rand.Int64N(int64(d)))
}

// The library's own random waits are the same in each run of a seed.
func init() { backoff.Replace(func(n int64) int64 { return n / 2 }) }
