package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nestsession/session/internal/backoff"
)

// chance is what a part of the world draws from: its own, so that the order in which the
// parts come to draw makes no difference.
type chance struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func newChance(seed uint64, name string) *chance {
	h := fnv.New64a()
	h.Write([]byte(name))
	return &chance{rand: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// in reports true in so many cases of a thousand.
func (c *chance) in(thousand int) bool { return c.below(1000) < thousand }

func (c *chance) below(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

// wait is a random time up to d. It is never the same twice, to the nanosecond, so that
// no two things happen at the same moment.
func (c *chance) wait(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return 1 + time.Duration(c.rand.Int64N(int64(d)))
}

// The library's own waits are to be the same in each run of a seed.
func init() { backoff.Replace(func(n int64) int64 { return n / 2 }) }
