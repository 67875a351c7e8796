package session

import (
	"crypto/subtle"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/nestsession/session/cookie"
)

// verified is a cookie's value of which it is known that one of the secrets signed
// it, with what it says.
type verified struct {
	value, id, key string
	old            bool // another secret than the first signed it
	asSent         bool // value is letter for letter what is sent for the id
}

// cookieSlots is how many cookies are remembered; a power of two.
const cookieSlots = 16384

// cookieCache remembers the cookies that were verified last: a browser sends the
// same one with every request, and its HMAC is a third of what a read would cost.
// It says nothing about whether the session lives; the store is asked each time.
// Each value has one slot, which the last to come takes, so that there is nothing to
// evict or lock.
type cookieCache struct {
	signer *cookie.Signer
	key    func(id string) string // of the record
	slots  *[cookieSlots]atomic.Pointer[verified]
	keys   *[cookieSlots]atomic.Uint32 // the slot of the cookie of a record's key
	seed   maphash.Seed
}

func newCookieCache(signer *cookie.Signer, key func(id string) string) cookieCache {
	return cookieCache{signer, key, new([cookieSlots]atomic.Pointer[verified]), new([cookieSlots]atomic.Uint32), maphash.MakeSeed()}
}

func (c *cookieCache) slot(text string) uint32 {
	return uint32(maphash.String(c.seed, text) % cookieSlots)
}

// drop forgets the cookie of a session that has ended.
func (c *cookieCache) drop(key string) {
	slot := &c.slots[c.keys[c.slot(key)].Load()]
	if v := slot.Load(); v != nil && v.key == key {
		slot.CompareAndSwap(v, nil)
	}
}

// verify reads the id out of a cookie's value. The error is the signer's.
func (c *cookieCache) verify(value string) (*verified, error) {
	at := c.slot(value)
	slot := &c.slots[at]
	// In constant time, as for the signature that the comparison stands for.
	if v := slot.Load(); v != nil && subtle.ConstantTimeCompare([]byte(v.value), []byte(value)) == 1 {
		return v, nil
	}
	value = strings.Clone(value) // the header's line has other cookies in it
	id, secret, err := c.signer.Verify(value)
	if err != nil {
		return nil, err
	}
	v := &verified{value: value, id: id, key: c.key(id), old: secret > 0}
	v.asSent = string(c.signer.AppendValue(nil, id)) == value
	slot.Store(v)
	c.keys[c.slot(v.key)].Store(at)
	return v, nil
}
