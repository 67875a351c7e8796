// Package pack makes small documents smaller that have text in common, such as the names of
// their members. What many have in common is kept once, in a [Dict]; of the rest, ASCII takes
// seven bits a character.
package pack

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// MaxDict is the most text that a Dict keeps, in bytes.
const MaxDict = 4096

const (
	seed     = 8  // a copy is found by so many bytes
	longSeed = 12 // and common text by so many
	stride   = 4  // which is looked for at each of so many: no more than longSeed-seed, so that all of it is found
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
	for start, after := 0, 0; start < len(src); {
		end, pos, n := d.next(src, start, after)
		yield(src[start:end], pos, n)
		start, after = end+n, pos+n
	}
}

// ahead is how far next searches for the text that follows the last copy.
const ahead = 64

// next returns the first copy in src from start on: where it begins, its position in the text, and
// its length, which is 0 if there is none. The last copy ended at after in the text.
func (d *Dict) next(src []byte, start, after int) (end, pos, n int) {
	// The documents have their members in one order, and so has the text. So what follows in the
	// text most often follows in src, after a value.
	expected, last := -1, len(src)-seed
	if after+seed <= len(d.text) {
		if k := bytes.Index(src[start:min(start+ahead, len(src))], d.text[after:after+seed]); k >= 0 {
			expected, last = start+k, start+k-1
		}
	}
	// A copy that begins in what is passed over is found by its next bytes, and grows to its
	// beginning.
	for i := start; i <= last; i += stride + (i-start)>>6 {
		x := binary.LittleEndian.Uint64(src[i:])
		at := int(d.at[hash(x)])
		if at == 0 || binary.LittleEndian.Uint64(d.text[at-1:]) != x {
			continue
		}
		return d.widen(src, start, i, at-1)
	}
	if expected >= 0 {
		return d.widen(src, start, expected, after)
	}
	return len(src), 0, 0
}

// widen returns the copy that has the seed which src has at i, and the text at pos.
func (d *Dict) widen(src []byte, start, i, pos int) (end, from, n int) {
	n = seed + alike(src[i+seed:], d.text[pos+seed:])
	for i > start && pos > 0 && src[i-1] == d.text[pos-1] {
		i, pos, n = i-1, pos-1, n+1
	}
	return i, pos, n
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

// slack is how many bytes what Append writes may have more than the document, before it
// notices that: a copy with the length of its literal takes no more than its text, so these are the
// mode, two lengths, and a literal that ends in the middle of eight bytes.
const slack = 3*binary.MaxVarintLen64 + 8

// Append appends the packed form of src to dst.
func (d *Dict) Append(dst, src []byte) []byte {
	begin := len(dst)
	dst = slices.Grow(dst, len(src)+slack)
	mode := byte(ascii)
	if !isASCII(src) {
		mode = wide
	}
	dst = appendNumber(append(dst, mode), len(src))
	for start, after := 0, 0; start < len(src); {
		end, pos, n := len(src), 0, 0
		if d != nil {
			end, pos, n = d.next(src, start, after)
		}
		dst = appendLiteral(dst, src, start, end, mode)
		if n > 0 {
			dst = binary.LittleEndian.AppendUint16(appendNumber(dst, n), uint16(pos))
		}
		start, after = end+n, pos+n
	}
	if len(dst)-begin > len(src) {
		return append(append(dst[:begin], plain), src...)
	}
	return dst
}

// appendNumber is binary.AppendUvarint, faster for small numbers.
func appendNumber(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

// appendLiteral appends src[from:to] to dst, which has room for it and for slack.
func appendLiteral(dst, src []byte, from, to int, mode byte) []byte {
	dst = appendNumber(dst, to-from)
	if mode == wide {
		return append(dst, src[from:to]...)
	}
	// What is written after the end is written over.
	at := len(dst)
	dst = dst[:at+squeezed(to-from)]
	room := dst[:cap(dst)]
	for ; from < to && from+8 <= len(src); from, at = from+8, at+7 {
		binary.LittleEndian.PutUint64(room[at:], squeeze(binary.LittleEndian.Uint64(src[from:])))
	}
	if from < to {
		var last [8]byte
		copy(last[:], src[from:to])
		binary.LittleEndian.PutUint64(room[at:], squeeze(binary.LittleEndian.Uint64(last[:])))
	}
	return dst
}

// squeezed is how many bytes n characters of seven bits take.
func squeezed(n int) int { return (n*7 + 7) / 8 }

// squeeze moves the low seven bits of each byte together. The eighth bits are zero. Each step
// closes the gaps below the upper halves: it subtracts by how much a half becomes less.
func squeeze(x uint64) uint64 {
	x -= (x & 0x7f007f007f007f00) >> 1
	x -= (x & 0x3fff00003fff0000) >> 2 * 3
	return x - (x&0x0fffffff00000000)>>4*15
}

// spread is the inverse of squeeze.
func spread(x uint64) uint64 {
	x = x&0x000000000fffffff | x<<4&0x0fffffff00000000
	x = x&0x00003fff00003fff | x<<2&0x3fff00003fff0000
	return x&0x007f007f007f007f | x<<1&0x7f007f007f007f00
}

func isASCII(b []byte) bool {
	var all uint64
	for ; len(b) >= 16; b = b[16:] {
		all |= binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:])
	}
	for _, c := range b {
		all |= uint64(c)
	}
	return all&0x8080808080808080 == 0
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
