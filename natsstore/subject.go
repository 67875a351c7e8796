package natsstore

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/nestsession/session/store"
)

// A subject below the bucket's is
//
//	id.<token>                 a session
//	owner.<token>.<token>      that an owner has a session: an entry of the index
//	sync.<token>               the last barrier of a store
//
// The token of a text is "i" and the text if that is possible, otherwise "h" and the text's SHA-256.
// A token that begins with "b" is of a barrier.
const maxPlain = 128

func token(text string) string {
	if len(text) <= maxPlain && plain(text) {
		return "i" + text
	}
	sum := sha256.Sum256([]byte(text))
	return "h" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// plain reports whether a text can be part of a subject and of a key of a bucket.
func plain(text string) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// event names the session of a token.
func event(token string) (e store.Event, ok bool) {
	switch {
	case strings.HasPrefix(token, "i"):
		return store.Event{ID: token[1:]}, true
	case strings.HasPrefix(token, "h"):
		sum, err := base64.RawURLEncoding.DecodeString(token[1:])
		if err != nil || len(sum) != sha256.Size {
			return e, false
		}
		return store.Event{Digest: store.Digest(sum)}, true
	}
	return e, false
}

// idOf returns the id of a token that holds it, or the one in the message.
func idOf(token, inMessage string) string {
	if strings.HasPrefix(token, "i") {
		return token[1:]
	}
	return inMessage
}

func (s *Store) idSubject(id string) string { return s.prefix + "id." + token(id) }

func (s *Store) entrySubject(owner, id string) string {
	return s.prefix + "owner." + token(owner) + "." + token(id)
}

// lastToken returns what follows the last dot.
func lastToken(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }
