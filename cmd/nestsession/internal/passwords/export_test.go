package passwords

import (
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/argon2id"
)

// Enter takes one of the places for hashing.
func Enter(h *Hasher, t *testing.T) (leave func()) {
	t.Helper()
	leave, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

// Waiting returns how many callers wait for a place.
func Waiting(h *Hasher) int64 { return h.waiting.Load() }

// CountChecks returns a function that returns how many hashes were computed since.
func CountChecks(h *Hasher) (computed func() []string) {
	var mu sync.Mutex
	var all []string
	h.check = func(password, phc string) (bool, *Params, error) {
		mu.Lock()
		all = append(all, phc)
		mu.Unlock()
		return argon2id.CheckHash(password, phc)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// CommonList is the list of common passwords.
func CommonList() []string { return strings.Fields(commonList) }
