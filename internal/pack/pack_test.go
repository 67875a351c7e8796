package pack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func doc(i int) []byte {
	return fmt.Appendf(nil, `{"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"},"user":"user-%d","__nestsession":{"created":%d,"owner":"user:%d"}}`, i*7919, 1790000000000+int64(i)*977, i)
}

func learned() *Dict {
	var d *Dict
	return d.Learn([3][]byte{doc(1), doc(20), doc(333)})
}

// A document comes back as it was, and takes less room if it looks like others.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	d := learned()
	for i := range 1000 {
		want := doc(i)
		packed := d.Append(nil, want)
		if got := d.Unpack(packed); !bytes.Equal(got, want) || cap(got) != len(got) {
			t.Fatalf("%q (room for %d) came back as %q", want, cap(got), got)
		}
		if len(packed) > len(want)/2 {
			t.Fatalf("%d bytes take %d", len(want), len(packed))
		}
	}
}

// Text that documents have in another order than the dictionary, or after a long value, is found
// as well.
func TestAnyOrderIsPacked(t *testing.T) {
	t.Parallel()
	text := make([]byte, 0, MaxDict)
	rng := rand.New(rand.NewPCG(3, 4))
	var words [20][]byte
	for i := range words {
		for range 16 {
			words[i] = append(words[i], byte('A'+rng.IntN(26)))
		}
		text = append(text, words[i]...)
	}
	d := New(text)
	for _, between := range []int{0, 1, 7, 8, 20, ahead - seed, ahead - seed + 1, ahead, 3 * ahead} {
		for range 50 {
			var want []byte
			for range 10 {
				want = append(want, words[rng.IntN(len(words))]...)
				want = append(want, bytes.Repeat([]byte("-"), between)...)
			}
			packed := d.Append(nil, want)
			// For each word the numbers, and for what is between seven bits a character and the words' ends
			// that are passed over.
			if most := 10*(5+squeezed(between+1+between/16)) + 4; len(packed) > most || len(packed) > len(want) {
				t.Errorf("%d bytes with words %d apart take %d, want %d at most", len(want), between, len(packed), most)
			}
			if got := d.Unpack(packed); !bytes.Equal(got, want) {
				t.Fatalf("%q came back as %q", want, got)
			}
		}
	}
}

// The dictionary has nothing that only one or two of the documents have.
func TestOnlyWhatAllShareIsLearned(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("a secret of two ", 4)
	docs := [3][]byte{append(doc(1), secret...), append(doc(2), secret...), append(doc(3), strings.Repeat("of one only ", 5)...)}
	var d *Dict
	d = d.Learn(docs)
	if d.Len() == 0 || bytes.Contains(d.text, []byte("secret")) || bytes.Contains(d.text, []byte("of one")) {
		t.Errorf("learned %q", d.text)
	}
}

// What was packed before a dictionary learned more can be unpacked later.
func TestLearningKeepsWhatIsPacked(t *testing.T) {
	t.Parallel()
	d := learned()
	packed := d.Append(nil, doc(5))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		more := make([]byte, 500)
		for i := range more {
			more[i] = byte('a' + rng.IntN(26))
		}
		d = d.Learn([3][]byte{more, more, more})
	}
	if got := d.Unpack(packed); !bytes.Equal(got, doc(5)) {
		t.Errorf("came back as %q", got)
	}
	if d.Len() > MaxDict {
		t.Errorf("the dictionary has %d bytes", d.Len())
	}
}

func FuzzPack(f *testing.F) {
	f.Add([]byte{}, []byte("a"))
	f.Add(doc(4), doc(5))
	f.Add([]byte("über"), doc(6))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var none *Dict
		if len(a) > 0 {
			_ = learned().Unpack(a) // must not panic
		}
		for _, d := range []*Dict{none, New(learned().Text()), learned().Learn([3][]byte{a, a, a})} {
			for _, want := range [][]byte{a, b, append(bytes.Clone(a), b...)} {
				packed := d.Append([]byte("x"), want)[1:]
				if len(packed) > len(want)+1 {
					t.Errorf("%d bytes take %d", len(want), len(packed))
				}
				if got := d.Unpack(packed); !bytes.Equal(got, want) || Size(packed) != len(want) {
					t.Errorf("%q came back as %q, and its size as %d", want, got, Size(packed))
				}
			}
		}
	})
}
