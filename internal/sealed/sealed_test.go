package sealed

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func ring(t testing.TB, secrets ...string) *Ring {
	t.Helper()
	r, err := NewRing(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDataComeBack(t *testing.T) {
	t.Parallel()
	k := NewKey()
	for _, data := range []string{"", "x", strings.Repeat("data", 10_000)} {
		text, err := k.Seal([]byte("before"), []byte(data), "record")
		if err != nil || len(text) != len("before")+len(data)+overhead || len(data) > 1 && bytes.Contains(text, []byte(data)) {
			t.Fatalf("sealed %d bytes as %d: %v", len(data), len(text), err)
		}
		got, err := k.Open([]byte("head,"), text[len("before"):], "record")
		if err != nil || string(got) != "head,"+data {
			t.Errorf("opened as %.20q: %v", got, err)
		}
		again, err := k.Seal(nil, []byte(data), "record")
		if err != nil || bytes.Equal(again, text[len("before"):]) {
			t.Errorf("the same data have the same ciphertext twice: %v", err)
		}
	}
}

// Each of the three kinds of text opens only as what it was made for.
func TestNothingElseOpens(t *testing.T) {
	t.Parallel()
	k, other, r := NewKey(), NewKey(), ring(t, "a first secret", "a second secret")
	data, err1 := k.Seal(nil, bytes.Repeat([]byte("d"), KeySize), "record")
	wrapped, err2 := r.Wrap(&k, "id", "record")
	passed, err3 := k.Pass(&other, "record")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	openData := func(k *Key, text []byte, record string) error { _, err := k.Open(nil, text, record); return err }
	take := func(k *Key, text []byte, record string) error { _, err := k.Take(text, record); return err }
	unwrap := func(r *Ring, text []byte, id, record string) error {
		_, _, err := r.Unwrap(text, id, record)
		return err
	}
	if err := errors.Join(openData(&k, data, "record"), take(&k, passed, "record"), unwrap(r, wrapped, "id", "record")); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"data with another key":         openData(&other, data, "record"),
		"data of another record":        openData(&k, data, "other"),
		"data as a key that is passed":  take(&k, data, "record"),
		"a passed key as data":          openData(&k, passed, "record"),
		"a passed key of another":       take(&k, passed, "other"),
		"a passed key without its key":  take(&other, passed, "record"),
		"a wrapped key with another id": unwrap(r, wrapped, "other", "record"),
		"a wrapped key without an id":   unwrap(r, wrapped, "", "record"),
		"a wrapped key of another":      unwrap(r, wrapped, "id", "other"),
		"a wrapped key, other secrets":  unwrap(ring(t, "a second secret", "a third secret"), wrapped, "id", "record"),
		"a wrapped key as data":         openData(&k, wrapped, "record"),
	} {
		if !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range [][]byte{data, wrapped, passed} {
		for i := range text {
			for _, damaged := range [][]byte{text[:i], append(bytes.Clone(text[:i]), text[i]^1)} {
				damaged = append(damaged, text[min(i+1, len(text)):]...)[:len(damaged)]
				if openData(&k, damaged, "record") == nil || take(&k, damaged, "record") == nil || unwrap(r, damaged, "id", "record") == nil {
					t.Fatalf("opens, damaged at %d", i)
				}
			}
		}
	}
}

func TestTheFirstSecretWrapsAndAllUnwrap(t *testing.T) {
	t.Parallel()
	k := NewKey()
	wrapped, err := ring(t, "old").Wrap(&k, "id", "record")
	if err != nil || len(wrapped) != WrappedSize {
		t.Fatalf("%d bytes: %v", len(wrapped), err)
	}
	for _, c := range []struct {
		ring *Ring
		old  bool
	}{{ring(t, "old"), false}, {ring(t, "old", "new"), false}, {ring(t, "new", "old"), true}} {
		got, old, err := c.ring.Unwrap(wrapped, "id", "record")
		if err != nil || got != k || old != c.old {
			t.Errorf("old %v, want %v: %v", old, c.old, err)
		}
	}
}

// FuzzOpen: whatever a store returns, opening it neither panics nor succeeds.
func FuzzOpen(f *testing.F) {
	k, r := Key{1}, ring(f, "a secret")
	text, err := k.Seal(nil, []byte("data"), "record")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, "id")
	f.Add(text[:overhead], "id")
	f.Add(make([]byte, WrappedSize), "")
	f.Fuzz(func(t *testing.T, text []byte, id string) {
		_, err1 := k.Open(nil, text, "record")
		_, err2 := k.Take(text, "record")
		_, _, err3 := r.Unwrap(text, id, "record")
		if err1 == nil || err2 == nil || err3 == nil {
			t.Errorf("%x opens: %v, %v, %v", text, err1, err2, err3)
		}
	})
}
