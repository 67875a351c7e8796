// Package verified remembers cookies whose signature was verified.
package verified

import (
	"crypto/subtle"
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
	// In constant time, as for the signature that the comparison stands for.
	same := func(e *recent.Entry) bool { return subtle.ConstantTimeCompare(text(e.Key), text(value)) == 1 }
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

// text is value without a copy, to be read only.
func text(value string) []byte { return unsafe.Slice(unsafe.StringData(value), len(value)) }

// isUsual reports whether the text of a cookie that the first secret has signed is the one that
// is sent, because it has an escape exactly where one is needed. It knows only what the usual
// ids and signatures consist of.
func isUsual(value string) bool {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		case strings.HasPrefix(value[i:], "%3A"), strings.HasPrefix(value[i:], "%2B"), strings.HasPrefix(value[i:], "%2F"):
			i += len("3A")
		default:
			return false
		}
	}
	return true
}

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
