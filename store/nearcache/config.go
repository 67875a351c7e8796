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

// Config says how much is kept, and for how long it may be wrong. The zero value of
// each field is its default.
type Config struct {
	// MaxBytes bounds the memory of all records that are kept, with an estimate of
	// what the cache itself needs for each. What was not read for the longest time goes
	// first. Default: 64 MiB, about 130,000 sessions of 300 bytes.
	MaxBytes int64

	// MaxStale bounds for how long a change made elsewhere may go unseen here, whatever
	// happens to the connection that tells of changes. With that whole it is a matter
	// of milliseconds. Default: 2 seconds.
	MaxStale time.Duration

	// Now is the clock against which a record's expiry is held. Default: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults(inner store.Store) (Config, error) {
	var errs []error
	if inner == nil {
		errs = append(errs, errors.New("nearcache: no store to stand in front of"))
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
