package sessions

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// minPrefix is the fewest characters of a digest that name a session.
const minPrefix = 4

// Find returns the session with this digest, with the only digest that begins with this text, or,
// if the store keeps hashes, with this key. It reads the whole list, to make sure that no other
// session matches.
func (v *View) Find(ctx context.Context, name string) (Session, error) {
	var found Session
	n := 0
	for s, err := range v.All(ctx, "") {
		if err != nil {
			return Session{}, err
		}
		if s.Digest == name || !v.config.Express.InsecurePlainIDs && s.Key() == name {
			return s, nil
		}
		if len(name) >= minPrefix && strings.HasPrefix(s.Digest, name) {
			found = s
			n++
		}
	}
	switch {
	case n == 1:
		return found, nil
	case n > 1:
		return Session{}, fmt.Errorf("the digests of %d sessions begin with %q: write more characters", n, name)
	case len(name) < minPrefix:
		return Session{}, fmt.Errorf("%q is too short to find a session: write at least %d characters of a digest from `nestsession sessions list`", name, minPrefix)
	}
	return Session{}, errNone
}

// errNone says why there may be no session of that name.
var errNone = errors.New("there is no such session: it has ended, is in another store, or was renewed and has another digest now; see `nestsession sessions list`")
