package passwords_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
)

// An attacker who can write a hash must not be able to end the process, or to log in.
func TestAHashWithAbsurdParametersIsAnErrorAndComputesNothing(t *testing.T) {
	t.Parallel()
	h := hasher(t, cheap, 0)
	computed := passwords.CountChecks(h)
	salt, key := base64.RawStdEncoding.EncodeToString(make([]byte, 16)), base64.RawStdEncoding.EncodeToString(make([]byte, 32))
	long := base64.RawStdEncoding.EncodeToString(make([]byte, 200))
	for name, phc := range map[string]string{
		"4 TiB":               "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key,
		"more than fits":      "$argon2id$v=19$m=99999999999,t=2,p=1$" + salt + "$" + key,
		"a GiB":               "$argon2id$v=19$m=1048576,t=1,p=1$" + salt + "$" + key,
		"hours":               "$argon2id$v=19$m=65536,t=4294967295,p=1$" + salt + "$" + key,
		"the product":         "$argon2id$v=19$m=262144,t=60,p=1$" + salt + "$" + key,
		"no iterations":       "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"no lanes":            "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"too many lanes":      "$argon2id$v=19$m=19456,t=2,p=255$" + salt + "$" + key,
		"negative":            "$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + key,
		"no memory":           "$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + key,
		"an empty key":        "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$",
		"a short key":         "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$AA",
		"a long key":          "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + long,
		"an empty salt":       "$argon2id$v=19$m=8,t=1,p=1$$" + key,
		"a megabyte":          "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + strings.Repeat("A", 1<<20),
		"another algorithm":   "$2y$10$abcdefghijklmnopqrstuv",
		"no hash at all":      "hunter2",
		"argon2i":             "$argon2i$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"another version":     "$argon2id$v=16$m=8,t=1,p=1$" + salt + "$" + key,
		"parameters in words": "$argon2id$v=19$m=much,t=1,p=1$" + salt + "$" + key,
	} {
		match, _, err := h.Verify(t.Context(), "", phc)
		if err == nil || match {
			t.Errorf("%s: Verify = %v, %v; want an error", name, match, err)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error holds the hash: %v", name, err)
		}
	}
	if n := computed(); len(n) != 0 {
		t.Errorf("%d were computed, want none: %q", len(n), n)
	}
	if _, _, err := h.Verify(t.Context(), "x", "$argon2id$v=19$m=4294967295,t=2,p=1$"+salt+"$"+key); !errors.Is(err, passwords.ErrParameters) {
		t.Errorf("Verify = %v, want ErrParameters", err)
	}
}

// The time of an answer must not show that there is no account: the hash for an unknown user costs
// as much as that for a known one.
func TestUnknownUserCostsTheSameHash(t *testing.T) {
	t.Parallel()
	h := hasher(t, cheap, 0)
	phc, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	computed := passwords.CountChecks(h)
	for _, of := range []string{phc, ""} {
		if match, _, err := h.Verify(t.Context(), "guess", of); err != nil || match {
			t.Fatalf("Verify = %v, %v", match, err)
		}
	}
	cost := func(phc string) string { return strings.Join(strings.Split(phc, "$")[:4], "$") }
	if got := computed(); len(got) != 2 || cost(got[0]) != cost(got[1]) {
		t.Errorf("computed %q: want two hashes of one cost", got)
	}
}

func TestTheHashesThatOthersRecommendAreAccepted(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]passwords.Params{
		"ours":                     passwords.Recommended(),
		"OWASP, the most memory":   {Memory: 47104, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		"OWASP, the least memory":  {Memory: 7168, Iterations: 5, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		"RFC 9106, second choice":  {Memory: 65536, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32},
		"the shortest of RFC 9106": {Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 8, KeyLength: 16},
	} {
		h := hasher(t, p, 1)
		phc, err := h.Hash(t.Context(), "correct horse battery")
		if err != nil {
			t.Fatal(err)
		}
		if match, _, err := h.Verify(t.Context(), "correct horse battery", phc); err != nil || !match {
			t.Errorf("%s: Verify = %v, %v", name, match, err)
		}
	}
}
