package session

import (
	"crypto/subtle"
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// verified is a cookie's value of which it is known that one of the secrets signed
// it, with what it says.
type verified struct {
	value, id, key string
	old            bool // another secret than the first signed it
	asSent         bool // value is letter for letter what is sent for the id
}

// cookieCache remembers the cookies that were verified last: a browser sends the
// same one with every request, and its HMAC is a third of what a read would cost.
// It says nothing about whether the session lives; the store is asked each time.
// As in documentCache, each value has one slot.
type cookieCache struct {
	slots *[cacheSlots]atomic.Pointer[verified]
	seed  maphash.Seed
}

func newCookieCache() cookieCache {
	return cookieCache{new([cacheSlots]atomic.Pointer[verified]), maphash.MakeSeed()}
}

// verify reads the id out of a cookie's value. The error is the signer's.
func (c *core) verify(value string) (*verified, error) {
	slot := &c.cookies.slots[maphash.String(c.cookies.seed, value)%cacheSlots]
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
	return v, nil
}
