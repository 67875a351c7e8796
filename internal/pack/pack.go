// Package pack makes small documents smaller that have text in common, such as the names of
// their members. What many have in common is kept once, in a [Dict]; of the rest, ASCII takes
// seven bits a character.
package pack

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// MaxDict is the most text that a Dict keeps, in bytes.
const MaxDict = 4096

const (
	seed     = 8  // a copy is found by so many bytes
	longSeed = 12 // and common text by so many
	hashBits = 12
)

// Dict is text that documents have in common. It does not change, so that several goroutines
// may use it. The nil Dict is empty.
type Dict struct {
	text []byte
	at   [1 << hashBits]uint16 // where the text with a hash begins, plus one
}

func hash(x uint64) uint64 { return x * 0x9e3779b97f4a7c15 >> (64 - hashBits) }

// newDict returns a Dict with the text, which it keeps.
func newDict(text []byte) *Dict {
	d := &Dict{text: text}
	for i := len(text) - seed; i >= 0; i-- {
		d.at[hash(binary.LittleEndian.Uint64(text[i:]))] = uint16(i + 1)
	}
	return d
}

// New returns a Dict with the text, of at most MaxDict bytes, which [Dict.Text] has returned.
func New(text []byte) *Dict {
	if len(text) == 0 {
		return nil
	}
	return newDict(bytes.Clone(text))
}

// Text is the text of d. A Dict made of it unpacks what d has packed.
func (d *Dict) Text() []byte {
	if d == nil {
		return nil
	}
	return d.text
}

// Len is how many bytes of text d keeps.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.text)
}

// Learn returns a Dict that also has the text which all three documents have and d has not.
// What was packed with d can be unpacked with the result.
func (d *Dict) Learn(docs [3][]byte) *Dict {
	if d == nil {
		d = &Dict{}
	}
	shared := docs[0]
	for _, other := range docs[1:] {
		shared = common(shared, other)
	}
	fresh := d.unknown(shared)
	if fresh = fresh[:min(len(fresh), MaxDict-len(d.text))]; len(fresh) < longSeed {
		return d
	}
	return newDict(append(bytes.Clone(d.text), fresh...))
}

// common returns the pieces of a that are in b.
func common(a, b []byte) (pieces []byte) {
	in := newDict(b[:min(len(b), MaxDict)])
	in.match(a, func(_ []byte, pos, n int) {
		if n >= longSeed {
			pieces = append(pieces, in.text[pos:pos+n]...)
		}
	})
	return pieces
}

// unknown returns the pieces of text that d does not have.
func (d *Dict) unknown(text []byte) (pieces []byte) {
	d.match(text, func(literal []byte, _, _ int) {
		if len(literal) >= seed {
			pieces = append(pieces, literal...)
		}
	})
	return pieces
}

// match splits src into literals, each followed by a copy of n bytes at pos of the text. The
// last copy may have no bytes.
func (d *Dict) match(src []byte, yield func(literal []byte, pos, n int)) {
	start := 0
	for i := 0; i+seed <= len(src); {
		x := binary.LittleEndian.Uint64(src[i:])
		pos := int(d.at[hash(x)]) - 1
		if pos < 0 || binary.LittleEndian.Uint64(d.text[pos:]) != x {
			// A copy that begins in what is passed over is found by its next bytes, and
			// grows to its beginning.
			i += 1 + (i-start)>>5
			continue
		}
		n := seed + alike(src[i+seed:], d.text[pos+seed:])
		for i > start && pos > 0 && src[i-1] == d.text[pos-1] {
			i, pos, n = i-1, pos-1, n+1
		}
		yield(src[start:i], pos, n)
		i += n
		start = i
	}
	if start < len(src) {
		yield(src[start:], 0, 0)
	}
}

// alike returns how many bytes at the beginning of a and b are the same.
func alike(a, b []byte) int {
	most := min(len(a), len(b))
	n := 0
	for ; n+8 <= most; n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

// The first byte of what is packed.
const (
	plain = iota // the document follows
	ascii        // literals have seven bits a character
	wide         // literals have eight
)

// Append appends the packed form of src to dst.
func (d *Dict) Append(dst, src []byte) []byte {
	begin := len(dst)
	mode := byte(ascii)
	if !isASCII(src) {
		mode = wide
	}
	dst = append(dst, mode)
	dst = binary.AppendUvarint(dst, uint64(len(src)))
	if d == nil {
		dst = appendLiteral(dst, src, mode)
	} else {
		d.match(src, func(literal []byte, pos, n int) {
			dst = appendLiteral(dst, literal, mode)
			if n > 0 {
				dst = binary.AppendUvarint(dst, uint64(n))
				dst = binary.LittleEndian.AppendUint16(dst, uint16(pos))
			}
		})
	}
	if len(dst)-begin > len(src) {
		return append(append(dst[:begin], plain), src...)
	}
	return dst
}

func appendLiteral(dst, literal []byte, mode byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(literal)))
	if mode == wide {
		return append(dst, literal...)
	}
	for len(literal) >= 8 {
		dst = binary.LittleEndian.AppendUint64(dst, squeeze(binary.LittleEndian.Uint64(literal)))
		dst = dst[:len(dst)-1]
		literal = literal[8:]
	}
	if n := len(literal); n > 0 {
		var last [8]byte
		copy(last[:], literal)
		binary.LittleEndian.PutUint64(last[:], squeeze(binary.LittleEndian.Uint64(last[:])))
		dst = append(dst, last[:squeezed(n)]...)
	}
	return dst
}

// squeezed is how many bytes n characters of seven bits take.
func squeezed(n int) int { return (n*7 + 7) / 8 }

// squeeze moves the low seven bits of each byte together.
func squeeze(x uint64) uint64 {
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	return x&0x000000000fffffff | x&0x0fffffff00000000>>4
}

// spread is the inverse of squeeze.
func spread(x uint64) uint64 {
	x = x&0x000000000fffffff | x<<4&0x0fffffff00000000
	x = x&0x00003fff00003fff | x<<2&0x3fff00003fff0000
	return x&0x007f007f007f007f | x<<1&0x7f007f007f007f00
}

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// Size returns the size of the document that Append has packed.
func Size(packed []byte) int {
	if packed[0] == plain {
		return len(packed) - 1
	}
	size, _ := binary.Uvarint(packed[1:])
	return int(size)
}

// Unpack returns the document that Append has packed, in memory of its own. Of anything else it
// returns nil, or some bytes.
func (d *Dict) Unpack(packed []byte) []byte {
	mode, rest := packed[0], packed[1:]
	if mode == plain {
		return append(make([]byte, 0, len(rest)), rest...)
	}
	size, k := binary.Uvarint(rest)
	if k <= 0 || size > maxUnpacked {
		return nil
	}
	rest = rest[k:]
	// Eight bytes are written at a time.
	dst := make([]byte, 0, size+7)
	for {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > size-uint64(len(dst)) {
			return nil
		}
		var ok bool
		if dst, rest, ok = appendUnpacked(dst, rest[k:], int(n), mode); !ok {
			return nil
		}
		if len(dst) == int(size) {
			return dst[:size:size]
		}
		n, k = binary.Uvarint(rest)
		if k <= 0 || len(rest) < k+2 || n > size-uint64(len(dst)) {
			return nil
		}
		pos := int(binary.LittleEndian.Uint16(rest[k:]))
		rest = rest[k+2:]
		if pos+int(n) > d.Len() {
			return nil
		}
		dst = append(dst, d.text[pos:pos+int(n)]...)
		if len(dst) == int(size) {
			return dst[:size:size]
		}
	}
}

// maxUnpacked bounds what Unpack allocates for something that Append has not packed.
const maxUnpacked = 1 << 30

// appendUnpacked appends a literal of n bytes, with which rest begins.
func appendUnpacked(dst, rest []byte, n int, mode byte) (_, _ []byte, ok bool) {
	if mode == wide {
		if n > len(rest) {
			return nil, nil, false
		}
		return append(dst, rest[:n]...), rest[n:], true
	}
	if squeezed(n) > len(rest) {
		return nil, nil, false
	}
	end := len(dst) + n
	for ; n >= 8 && len(rest) >= 8; n -= 8 {
		dst = binary.LittleEndian.AppendUint64(dst, spread(binary.LittleEndian.Uint64(rest)))
		rest = rest[7:]
	}
	for ; n > 0; n -= 8 {
		var chunk [8]byte
		rest = rest[copy(chunk[:min(7, squeezed(n))], rest):]
		dst = binary.LittleEndian.AppendUint64(dst, spread(binary.LittleEndian.Uint64(chunk[:])))
	}
	return dst[:end], rest, true
}
