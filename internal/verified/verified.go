// Package verified remembers cookies whose signature was verified.
package verified

import (
	"crypto/subtle"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/nestsession/session/cookie"
)

// Cookie is a cookie's value of which it is known that one of the secrets signed
// it, with what it says.
type Cookie struct {
	Value, ID, Key string
	Old            bool // another secret than the first signed it
	AsSent         bool // Value is letter for letter what is sent for the id
}

// cookieSlots is how many cookies are remembered; a power of two.
const cookieSlots = 16384

// Cache remembers the cookies that were verified last: a browser sends the
// same one with every request, and its HMAC is a third of what a read would cost.
// It says nothing about whether the session lives; the store is asked each time.
// Each value has one slot, which the last to come takes, so that there is nothing to
// evict or lock.
type Cache struct {
	signer *cookie.Signer
	key    func(id string) string // of the record
	Slots  *[cookieSlots]atomic.Pointer[Cookie]
	keys   *[cookieSlots]atomic.Uint32 // the slot of the cookie of a record's key
	seed   maphash.Seed
}

func New(signer *cookie.Signer, key func(id string) string) Cache {
	return Cache{signer, key, new([cookieSlots]atomic.Pointer[Cookie]), new([cookieSlots]atomic.Uint32), maphash.MakeSeed()}
}

func (c *Cache) slot(text string) uint32 {
	return uint32(maphash.String(c.seed, text) % cookieSlots)
}

// Drop forgets the cookie of a session that has ended.
func (c *Cache) Drop(key string) {
	slot := &c.Slots[c.keys[c.slot(key)].Load()]
	if v := slot.Load(); v != nil && v.Key == key {
		slot.CompareAndSwap(v, nil)
	}
}

// Verify reads the id out of a cookie's value. The error is the signer's.
func (c *Cache) Verify(value string) (*Cookie, error) {
	at := c.slot(value)
	slot := &c.Slots[at]
	// In constant time, as for the signature that the comparison stands for.
	if v := slot.Load(); v != nil && subtle.ConstantTimeCompare([]byte(v.Value), []byte(value)) == 1 {
		return v, nil
	}
	value = strings.Clone(value) // the header's line has other cookies in it
	id, secret, err := c.signer.Verify(value)
	if err != nil {
		return nil, err
	}
	v := &Cookie{Value: value, ID: id, Key: c.key(id), Old: secret > 0}
	v.AsSent = string(c.signer.AppendValue(nil, id)) == value
	slot.Store(v)
	c.keys[c.slot(v.Key)].Store(at)
	return v, nil
}
