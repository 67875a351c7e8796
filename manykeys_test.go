package session

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// crowded is a document of n keys and about size bytes.
func crowded(n, size int) []byte {
	var text strings.Builder
	text.WriteString(`{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}`)
	filler := strings.Repeat("v", max(size/n-len(`,"k12345":""`), 0))
	for i := range n {
		fmt.Fprintf(&text, `,"k%05d":"%s"`, i, filler)
	}
	text.WriteString(`}`)
	return []byte(text.String())
}

// ownedBy gives the document an owner, as a program would that has no secret.
func ownedBy(owner string, text []byte) []byte {
	return append(slices.Clip(bytes.TrimSuffix(text, []byte("}"))), `,"__nestsession":{"owner":"`+owner+`"}}`...)
}

type few struct {
	Visits int `json:"visits"`
}

// Whatever keys a client makes, the owner is found without a walk over the others.
func TestTheOwnerAmongManyKeys(t *testing.T) { // not parallel: it counts allocations
	text := ownedBy("user:1", crowded(60_000, 1_000_000))
	if n := testing.AllocsPerRun(1, func() {
		if OwnerOf(text) != "user:1" {
			t.Error("the owner is another")
		}
	}); n > 20 {
		t.Errorf("reading its owner takes %v allocations", n)
	}
}

// What 60,000 keys cost, beside 60 in a document of the same size.
func BenchmarkKeys(b *testing.B) {
	const size = 1_000_000
	for _, n := range []int{60, 60_000} {
		text := crowded(n, size)
		owned := ownedBy("user:1", text)
		b.Run(fmt.Sprintf("owner/%d", n), func(b *testing.B) {
			for b.Loop() {
				OwnerOf(owned)
			}
		})
		benchKeys(b, "struct", n, text, func(v *few) { v.Visits++ })
		benchKeys(b, "any", n, text, func(v *map[string]any) { (*v)["visits"] = "1" })
		benchKeys(b, "string", n, text, func(v *map[string]string) { (*v)["visits"] += "1" })
	}
}

func benchKeys[T any](b *testing.B, name string, n int, text []byte, change func(*T)) {
	st := memstore.New(memstore.Config{})
	defer func() { _ = st.Close() }()
	m, err := New[T](Config{Secrets: []string{"0123456789abcdef"}, Store: st, MaxBytes: 4 << 20, Express: ExpressOptions{InsecurePlainIDs: true}, Name: "sid", Cookie: Cookie{Secure: SecureAuto}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	id := strings.Repeat("a", 32)
	b.Run(fmt.Sprintf("%s/decode/%d", name, n), func(b *testing.B) {
		for b.Loop() {
			if _, err := m.codec.Read("k", text); err != nil {
				b.Fatal(err)
			}
		}
	})
	visit := func(h func(*Session[T])) func(*testing.B) {
		return func(b *testing.B) {
			_ = st.Delete(context.Background(), id)
			if _, err := st.Create(context.Background(), store.Record{ID: id, Data: text}); err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", "sid="+string(m.signer.AppendValue(nil, id)))
			for b.Loop() {
				w := httptest.NewRecorder()
				m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *Session[T]) {
					if s.IsNew() {
						b.Fatal("new")
					}
					h(s)
				})(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		}
	}
	b.Run(fmt.Sprintf("%s/read/%d", name, n), visit(func(s *Session[T]) { s.Data() }))
	b.Run(fmt.Sprintf("%s/save/%d", name, n), visit(func(s *Session[T]) { s.Update(change) }))
}
