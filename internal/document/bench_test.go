package document

import (
	"encoding/json"
	"testing"
)

// account is 146 bytes of JSON, as in the benchmarks module.
type account struct {
	User   *user    `json:"user,omitempty"`
	Visits int      `json:"visits"`
	Roles  []string `json:"roles"`
}

type user struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Since string `json:"since"`
}

// stored is an account as a manager stores it after a login, and the JSON of its data.
func stored(tb testing.TB) (c *Codec[account], document, data []byte) {
	tb.Helper()
	codec, err := NewCodec[account](nil, false, Cookies{Parse: keepCookie, Write: func(any) []byte {
		return []byte(`{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/","sameSite":"lax"}`)
	}}, DefaultCacheBytes)
	if err != nil {
		tb.Fatal(err)
	}
	codec.Seal = NewSealer([]string{"a secret for tests"}, "", false, false)
	a := account{&user{482_113, "Ann Example", "a@example.com", "2026-01-01T00:00:00Z"}, 41, []string{"member", "editor", "audit"}}
	body, err := codec.Encode(&a)
	if err != nil || len(body) != 146 {
		tb.Fatalf("%s: %v", body, err)
	}
	cookie := []byte(`{"originalMaxAge":604800000,"expires":"2026-01-08T00:00:00.000Z","httpOnly":true,"path":"/","sameSite":"lax"}`)
	d, err := codec.Compose(codec.Empty, "a key of the length that keys have, which is", &a, body, cookie, nil, Lifetime{}, Meta{Created: 1_767_225_600_000, Used: 1_767_225_600_000, Owner: "user:482113"}, Opener{})
	if err != nil {
		tb.Fatal(err)
	}
	return &codec, d.Data, body
}

// BenchmarkMiss is what a document costs that is not in the cache, beside what its data cost
// by themselves.
func BenchmarkMiss(b *testing.B) {
	c, document, data := stored(b)
	b.Run("Read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Read("a key of the length that keys have, which is", document); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json.Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var a account
			if err := json.Unmarshal(data, &a); err != nil {
				b.Fatal(err)
			}
		}
	})
}
