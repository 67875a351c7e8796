// Package passwords hashes passwords and says which ones are acceptable.
package passwords

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
)

// ErrBusy means that no place for hashing became free in time: before the context ended or within
// [MaxWait], or that [MaxWaiting] callers wait already.
var ErrBusy = errors.New("passwords: too many passwords are being checked")

// The limits of the queue for hashing. MaxWait is how long a hash waits for its turn; after that
// time every caller that waits now has been served or has given up.
const (
	MaxWait    = 20 * time.Second
	MaxWaiting = 1000
)

// Recommended is one of the equivalent settings of the OWASP Password Storage
// Cheat Sheet: argon2id with 19 MiB, two passes and one lane.
func Recommended() Params {
	return Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// Params is the cost of a hash. Memory is in KiB.
type Params = argon2id.Params

// Hasher hashes passwords with argon2id (RFC 9106), a bounded number at a time:
// every hash takes [Params].Memory, so an unbounded number of logins at once would
// be a way to exhaust the memory of the machine.
type Hasher struct {
	params  Params
	places  chan struct{}
	waiting atomic.Int64
	decoy   string
	check   func(password, phc string) (bool, *Params, error)
}

// NewHasher returns a hasher that runs at most atOnce hashes at a time, or with 0
// one for each processor: more would only take turns.
func NewHasher(params Params, atOnce int) (*Hasher, error) {
	if atOnce <= 0 {
		atOnce = runtime.GOMAXPROCS(0)
	}
	decoy, err := argon2id.CreateHash("no account has this hash", &params)
	if err != nil {
		return nil, fmt.Errorf("passwords: %w", err)
	}
	return &Hasher{params: params, places: make(chan struct{}, atOnce), decoy: decoy, check: argon2id.CheckHash}, nil
}

// Hash returns the PHC string of a password, salted with fresh random bytes. It
// returns [ErrBusy] if its turn does not come.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	phc, err := argon2id.CreateHash(password, &h.params)
	if err != nil {
		return "", fmt.Errorf("passwords: %w", err)
	}
	return phc, nil
}

// Verify reports whether the password is the one that was hashed, and whether
// the hash is of another cost than this hasher's and should be made anew. With an
// empty phc, for a user who does not exist, it does the same work and reports
// false. It returns [ErrParameters] for a hash of a cost beyond all reason, which it does
// not compute, and [ErrBusy] if its turn does not come.
func (h *Hasher) Verify(ctx context.Context, password, phc string) (match, outdated bool, err error) {
	known := phc != ""
	if !known {
		phc = h.decoy
	}
	if err := reasonable(phc); err != nil {
		return false, false, err
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	match, params, err := h.check(password, phc)
	if err != nil {
		return false, false, fmt.Errorf("passwords: %w", err)
	}
	return match && known, *params != h.params, nil
}

func (h *Hasher) enter(ctx context.Context) (leave func(), err error) {
	// A canceled request must not win a free place by chance.
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	select {
	case h.places <- struct{}{}:
		return func() { <-h.places }, nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > MaxWaiting {
		return nil, fmt.Errorf("%w: %d wait already", ErrBusy, MaxWaiting)
	}
	ctx, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	select {
	case h.places <- struct{}{}:
		return func() { <-h.places }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
}
