package redisstore

import "strings"

// The store's own keys begin with these, so that a scan for sessions by their prefix, by this
// store or a Node application, does not find them.
const (
	ownerKeys = "nest-owner:"
	trimKeys  = "nest-trim:"
	countKeys = "#:" // after ownerKeys: for the counts of indexes, and wholeKey
)

// unprefixed stands for no prefix in the store's own keys.
const unprefixed = "-:"

func (s *Store) key(id string) string { return s.config.Prefix + id }

// space separates the own keys of the stores in one database.
func (s *Store) space() string {
	if s.config.Prefix == "" {
		return unprefixed
	}
	return s.config.Prefix
}

func (s *Store) trimKey() string { return trimKeys + s.space() }

// ownerKey is the key of an owner's index.
func (s *Store) ownerKey(owner string) string { return ownerKeys + s.space() + owner }

// countKey is the key of the count of entries of an owner's index.
func (s *Store) countKey(owner string) string { return s.placement.countKey(owner) }

// wholeKey is the key that says that all indexes are whole: see restore.go.
func (s *Store) wholeKey() string { return ownerKeys + countKeys + s.space() }

// ownerOf returns the owner whose index has the key.
func (s *Store) ownerOf(key string) string { return key[len(s.ownerKey("")):] }

// isOwn reports whether a key that begins with the prefix is one of the store's own. That is
// possible only without a prefix.
func isOwn(prefix, key string) bool {
	return prefix == "" && (strings.HasPrefix(key, ownerKeys) || strings.HasPrefix(key, trimKeys))
}

// tagged reports whether what begins with key has a hash tag in it. The tag determines the
// slot.
func tagged(key string) bool {
	_, rest, _ := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(rest, "}")
	return closed && tag != ""
}
