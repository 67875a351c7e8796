package passwords

import (
	"errors"
	"fmt"

	"github.com/alexedwards/argon2id"
)

// ErrParameters says that a stored hash asks for a cost that no hash of ours has. It is
// damaged, or somebody wrote it to exhaust the memory of the machine.
var ErrParameters = errors.New("passwords: the parameters of the stored hash are invalid")

// The limits for a stored hash that is checked. They allow every setting that OWASP or RFC 9106
// recommends for logins.
const (
	maxMemory     = 256 << 10 // KiB: 256 MiB
	maxIterations = 64
	maxCost       = 1 << 20 // KiB times iterations, about a second of work
	maxLanes      = 16
	minSalt       = 8
	minKey        = 16
	maxBytes      = 128 // of salt and key
	maxPHC        = 512
)

// reasonable refuses hashes that must not be computed: argon2 allocates the memory that a hash
// names and panics without lanes or iterations, and an empty key equals every other one.
func reasonable(phc string) error {
	if len(phc) > maxPHC {
		return fmt.Errorf("%w: it has %d bytes", ErrParameters, len(phc))
	}
	p, _, _, err := argon2id.DecodeHash(phc)
	if err != nil {
		return fmt.Errorf("passwords: a stored hash cannot be read: %w", err)
	}
	switch {
	case p.Memory > maxMemory, p.Iterations < 1, p.Iterations > maxIterations,
		uint64(p.Memory)*uint64(p.Iterations) > maxCost,
		p.Parallelism < 1, p.Parallelism > maxLanes, p.Memory < 8*uint32(p.Parallelism),
		p.SaltLength < minSalt, p.SaltLength > maxBytes, p.KeyLength < minKey, p.KeyLength > maxBytes:
		return fmt.Errorf("%w: m=%d, t=%d, p=%d, a salt of %d and a key of %d bytes", ErrParameters,
			p.Memory, p.Iterations, p.Parallelism, p.SaltLength, p.KeyLength)
	}
	return nil
}
