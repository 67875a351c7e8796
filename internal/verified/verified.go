// Package verified remembers cookies whose signature was verified.
package verified

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/recent"
)

// Cookie is a cookie's value of which it is known that one of the secrets signed
// it, with what it says.
type Cookie struct {
	byValue, byKey recent.Entry

	Value, ID, Key string
	Old            bool // another secret than the first signed it
	AsSent         bool // Value is exactly what is sent for the id
}

// DefaultCacheBytes is how much memory the cookies may take: more than 65,536 cookies.
const DefaultCacheBytes = 24 << 20

// Cache remembers the cookies that were verified last: a browser sends the
// same one with every request, and its HMAC is a third of what a read would cost.
// It says nothing about whether the session lives; the store is asked each time.
type Cache struct {
	signer *cookie.Signer
	key    func(id string) string // of the record
	values *recent.Cache          // by their value
	keys   *recent.Cache          // the same by the record's key, so that Drop finds them
}

// New returns a cache for about limit bytes.
func New(signer *cookie.Signer, key func(id string) string, limit int) Cache {
	c := Cache{signer, key, recent.New(limit), recent.New(limit)}
	c.values.Evicted = func(e *recent.Entry) { drop(c.keys, &e.Value.(*Cookie).byKey) }
	c.keys.Evicted = func(e *recent.Entry) { drop(c.values, &e.Value.(*Cookie).byValue) }
	return c
}

func drop(from *recent.Cache, e *recent.Entry) {
	from.Drop(from.Hash(e.Key), func(other *recent.Entry) bool { return other == e })
}

// SetLimit changes how much memory the cookies may take, in bytes.
func (c *Cache) SetLimit(n int) {
	c.values.SetLimit(n)
	c.keys.SetLimit(n)
}

// Drop forgets the cookies of a session that has ended.
func (c *Cache) Drop(key string) {
	hash := c.keys.Hash(key)
	c.keys.Drop(hash, func(e *recent.Entry) bool {
		if e.Key != key {
			return false
		}
		drop(c.values, &e.Value.(*Cookie).byValue)
		return true
	})
}

// Count returns how many cookies are remembered, and how many bytes they take.
func (c *Cache) Count() (cookies, bytes int) {
	cookies, bytes = c.values.Count()
	_, more := c.keys.Count()
	return cookies, bytes + more
}

// Verify reads the id out of a cookie's value. The error is the signer's.
func (c *Cache) Verify(value string) (*Cookie, error) {
	hash := c.values.Hash(value)
	same := func(e *recent.Entry) bool { return equal(text(e.Key), text(value)) }
	if e := c.values.Get(hash, same); e != nil {
		return e.Value.(*Cookie), nil
	}
	keep := c.values.Wants(hash)
	if keep {
		value = strings.Clone(value) // the header's line has other cookies in it
	}
	id, secret, err := c.signer.Verify(value)
	if err != nil {
		return nil, err
	}
	v := &Cookie{Value: value, ID: id, Key: c.key(id), Old: secret > 0}
	v.AsSent = secret == 0 && (isUsual(value) || string(c.signer.AppendValue(nil, id)) == value)
	if keep {
		c.remember(hash, v)
	}
	return v, nil
}

// equal compares in constant time, as is done with the signature that the comparison stands
// for: how long it takes depends on the lengths only. It takes eight bytes at a time, because
// it runs on every cookie.
func equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	var differ uint64
	for ; len(a) >= 8; a, b = a[8:], b[8:] {
		differ |= binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b)
	}
	for i := range a {
		differ |= uint64(a[i] ^ b[i])
	}
	return differ == 0
}

// text is value without a copy, to be read only.
func text(value string) []byte { return unsafe.Slice(unsafe.StringData(value), len(value)) }

// isUsual reports whether the text of a cookie that the first secret has signed is the one that
// is sent, because it has an escape exactly where one is needed. It knows only what the usual
// ids and signatures consist of.
func isUsual(value string) bool {
	for i := 0; i < len(value); i++ {
		if usual[value[i]] {
			continue
		}
		if rest := value[i:]; !strings.HasPrefix(rest, "%3A") && !strings.HasPrefix(rest, "%2B") && !strings.HasPrefix(rest, "%2F") {
			return false
		}
		i += len("3A")
	}
	return true
}

// usual has the bytes that the usual ids and signatures consist of, besides escapes.
var usual = func() (set [256]bool) {
	for c := range set {
		set[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
	}
	return set
}()

// entry is what the tables' part of a cookie is counted as. The tables count themselves.
const entry = 1

func (c *Cache) remember(hash recent.Hash, v *Cookie) {
	v.byValue, v.byKey = recent.Entry{Key: v.Value, Value: v}, recent.Entry{Key: v.Key, Value: v}
	same := func(e *recent.Entry) bool { return e.Value.(*Cookie).Value == v.Value }
	size := int(unsafe.Sizeof(*v)) + len(v.Value) + len(v.ID) + len(v.Key)
	c.values.Put(hash, &v.byValue, size+size/8, c.values.Drops(hash), same)
	hash = c.keys.Hash(v.Key)
	c.keys.Put(hash, &v.byKey, entry, c.keys.Drops(hash), same)
}
