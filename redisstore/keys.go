package redisstore

import (
	"strings"

	"github.com/redis/rueidis"
)

// The keys that are no session's begin with these, so that nothing that looks for
// sessions by their prefix, ours or a Node application's, comes across them.
const (
	ownerKeys = "nest-owner:"
	trimKeys  = "nest-trim:"
	countKeys = "#:" // after ownerKeys: of the keys that go with owners' indexes
)

// unprefixed stands for no prefix in the store's own keys.
const unprefixed = "-:"

func (s *Store) key(id string) string { return s.config.Prefix + id }

// space keeps the own keys of stores on one database apart.
func (s *Store) space() string {
	if s.config.Prefix == "" {
		return unprefixed
	}
	return s.config.Prefix
}

func (s *Store) trimKey() string { return trimKeys + s.space() }

// ownerKey is that of an owner's index.
func (s *Store) ownerKey(owner string) string { return ownerKeys + s.space() + owner }

// countKey is that of how many entries an owner's index has. In a Cluster it is in the
// index's slot.
func (s *Store) countKey(owner string) string {
	name := s.space() + owner
	index := ownerKeys + name
	switch {
	case !s.spread || tagged(name):
		return ownerKeys + countKeys + name
	case !strings.ContainsAny(name, "{}"):
		return ownerKeys + countKeys + "{" + index + "}"
	}
	slot := func(key string) uint16 {
		cmd := s.b.Arbitrary("GET").Keys(key).Build()
		return cmd.Slot()
	}
	for want, i := slot(index), int64(0); ; i++ {
		if key := ownerKeys + countKeys + "{" + number(i) + "}" + name; slot(key) == want {
			return key
		}
	}
}

// wholeKey says that the indexes are whole: see [Store.trusted].
func (s *Store) wholeKey() string { return ownerKeys + countKeys + s.space() }

// ownerOf is the owner whose index has the key.
func (s *Store) ownerOf(key string) string { return key[len(s.ownerKey("")):] }

// isOwn reports whether a key that begins with the prefix is one of the stores' own, which
// it can be only where there is none.
func isOwn(prefix, key string) bool {
	return prefix == "" && (strings.HasPrefix(key, ownerKeys) || strings.HasPrefix(key, trimKeys))
}

// tagged reports whether a key that begins so has a hash tag there, which alone decides on
// its slot.
func tagged(key string) bool {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(rest, "}")
	return closed && tag != ""
}

// isTryAgain reports whether a server has some of several keys, while their slot moves.
func isTryAgain(err error) bool {
	refused, ok := rueidis.IsRedisErr(err)
	return ok && refused.IsTryAgain()
}
