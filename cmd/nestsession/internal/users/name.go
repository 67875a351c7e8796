package users

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// MaxName is the longest name, in code points.
const MaxName = 64

// The reasons why a name is not acceptable. Package web/text has the sentences for users.
var (
	ErrNoName   = errors.New("users: the name is empty")
	ErrLongName = fmt.Errorf("users: the name has more than %d characters", MaxName)
	ErrBadName  = errors.New("users: the name has a space or a character that is not allowed in names")
)

// Name returns the form of a username that is stored and compared, so that Kim, kim and a
// full-width kim are one account: UsernameCaseMapped of RFC 8265 (lower case, canonical
// composition, no spaces). Letters of different scripts that look alike remain different. It
// returns [ErrNoName], [ErrLongName] or [ErrBadName].
func Name(typed string) (string, error) {
	switch {
	case typed == "":
		return "", ErrNoName
	case len(typed) > 4*utf8.UTFMax*MaxName:
		return "", ErrLongName
	}
	name, err := precis.UsernameCaseMapped.String(typed)
	switch {
	case err != nil:
		return "", ErrBadName
	case utf8.RuneCountInString(name) > MaxName:
		return "", ErrLongName
	}
	return name, nil
}
