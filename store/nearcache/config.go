package nearcache

import (
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

// The defaults of [Config].
const (
	DefaultMaxBytes = 64 << 20
	DefaultMaxStale = 2 * time.Second
)

// Config says how much a [Cache] keeps, and how long a record may be out of date. The zero
// value of each field is its default.
type Config struct {
	// MaxBytes limits the memory of all records, including an estimate of what the cache
	// itself needs for each. The record that was not read for the longest time is
	// evicted first. Default: 64 MiB, about 130,000 sessions of 300 bytes.
	MaxBytes int64

	// MaxStale is the longest time for which this node may not see a change by another,
	// whatever happens to the connection that reports changes. While that works, it is
	// some milliseconds. Default: 2 seconds.
	MaxStale time.Duration

	// Now is the clock that decides whether a record has expired. Default: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults(inner store.Store) (Config, error) {
	var errs []error
	if inner == nil {
		errs = append(errs, errors.New("nearcache: the store is nil"))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("nearcache: Config.MaxBytes: %d would keep nothing; write a positive number, or 0 for %d", c.MaxBytes, DefaultMaxBytes))
	}
	if c.MaxStale < 0 {
		errs = append(errs, fmt.Errorf("nearcache: Config.MaxStale: %v would keep nothing; write a positive duration, or 0 for %v", c.MaxStale, DefaultMaxStale))
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.MaxStale == 0 {
		c.MaxStale = DefaultMaxStale
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, errors.Join(errs...)
}
