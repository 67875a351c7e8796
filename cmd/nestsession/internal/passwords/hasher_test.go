package passwords_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
)

// cheap are parameters with which a hash takes microseconds.
var cheap = passwords.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func hasher(t *testing.T, p passwords.Params, atOnce int) *passwords.Hasher {
	t.Helper()
	h, err := passwords.NewHasher(p, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashIsOfArgon2idAtTheRecommendedCostAndSalted(t *testing.T) {
	t.Parallel()
	h := hasher(t, passwords.Recommended(), 0)
	phc, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(phc, want) {
		t.Errorf("hash is %q, want it to begin with %q", phc, want)
	}
	again, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if again == phc {
		t.Error("the same password twice has the same hash: the salt is not random")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	h := hasher(t, cheap, 0)
	phc, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	dearer := cheap
	dearer.Iterations = 2
	for _, c := range []struct {
		name, password, phc string
		by                  *passwords.Hasher
		match, outdated     bool
	}{
		{"the password", "correct horse battery", phc, h, true, false},
		{"another", "correct horse batterx", phc, h, false, false},
		{"nobody's", "correct horse battery", "", h, false, false},
		{"the text of which the decoy was made", "no account has this hash", "", h, false, false},
		{"of another cost", "correct horse battery", phc, hasher(t, dearer, 0), true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			match, outdated, err := c.by.Verify(t.Context(), c.password, c.phc)
			if err != nil || match != c.match || outdated != c.outdated {
				t.Errorf("Verify = %v, %v, %v; want %v, %v", match, outdated, err, c.match, c.outdated)
			}
		})
	}
}

func TestVerifyOfADamagedHashIsAnErrorAndNoMatch(t *testing.T) {
	t.Parallel()
	if match, _, err := hasher(t, cheap, 0).Verify(t.Context(), "x", "$argon2id$v=19$m=8"); err == nil || match {
		t.Errorf("Verify = %v, %v; want an error", match, err)
	}
}

// A hash that waits takes no memory, and one that is canceled while it waits is not computed.
func TestHashesAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hasher(t, cheap, 1)
		leave := passwords.Enter(h, t) // takes the only place
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() {
			_, _, err := h.Verify(ctx, "x", "")
			answer <- err
		}()
		synctest.Wait()
		select {
		case err := <-answer:
			t.Fatalf("the second hash did not wait: %v", err)
		default:
		}
		cancel()
		if err := <-answer; !errors.Is(err, passwords.ErrBusy) || !errors.Is(err, context.Canceled) {
			t.Errorf("given up while it waited: %v, want ErrBusy for the context's reason", err)
		}
		began := time.Now()
		if _, err := h.Hash(t.Context(), "x"); !errors.Is(err, passwords.ErrBusy) || time.Since(began) != passwords.MaxWait {
			t.Errorf("its turn does not come: %v after %v, want ErrBusy after 20s", err, time.Since(began))
		}
		leave()
		if _, err := h.Hash(t.Context(), "x"); err != nil {
			t.Errorf("the place did not become free: %v", err)
		}
		if _, err := h.Hash(ctx, "x"); !errors.Is(err, passwords.ErrBusy) {
			t.Errorf("given up before it began: %v, want ErrBusy though a place is free", err)
		}
	})
}

// Several hashes wait for their turn. One more than fit into the queue is refused at once.
func TestTheQueueForHashingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hasher(t, cheap, 1)
		leave := passwords.Enter(h, t)
		answers := make(chan error, passwords.MaxWaiting)
		for range passwords.MaxWaiting {
			go func() {
				_, _, err := h.Verify(t.Context(), "x", "")
				answers <- err
			}()
		}
		synctest.Wait()
		began := time.Now()
		if _, err := h.Hash(t.Context(), "x"); !errors.Is(err, passwords.ErrBusy) || time.Since(began) != 0 {
			t.Errorf("one too many: %v after %v, want ErrBusy at once", err, time.Since(began))
		}
		leave()
		for range passwords.MaxWaiting {
			if err := <-answers; err != nil {
				t.Errorf("one that waited: %v", err)
			}
		}
		synctest.Wait()
		if n := passwords.Waiting(h); n != 0 {
			t.Errorf("%d are counted as waiting when nobody does", n)
		}
	})
}
