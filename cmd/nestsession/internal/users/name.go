package users

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// MaxName is the longest name, in code points.
const MaxName = 64

// The reasons why a name is not acceptable, worded for who chose it.
var (
	ErrNoName   = errors.New("enter a username")
	ErrLongName = fmt.Errorf("use at most %d characters", MaxName)
	ErrBadName  = errors.New("use letters, digits and signs such as . - _ @, without spaces")
)

// Name brings a username to the form that is stored and compared, so that Kim,
// kim and a full-width kim are one account: UsernameCaseMapped of RFC 8265 (lower case,
// canonical composition, no spaces). Letters of different scripts that look alike
// remain different. It returns [ErrNoName], [ErrLongName] or [ErrBadName].
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
