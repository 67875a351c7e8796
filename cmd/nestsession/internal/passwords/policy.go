package passwords

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// The length of a password in code points. NIST SP 800-63B-4 (3.1.1.2) asks for at least
// 15 where the password is the only factor, for room of at least 64, and for no rules
// about which characters it holds; ASVS 5.0 (6.2.1, 6.2.9) agrees.
const (
	MinLength = 15
	MaxLength = 256
)

// The reasons why a password is not acceptable, worded for who chose it.
var (
	ErrTooShort = fmt.Errorf("use at least %d characters: a few words are easy to remember and hard to guess", MinLength)
	ErrTooLong  = fmt.Errorf("use at most %d characters", MaxLength)
	ErrUnusable = errors.New("use letters, digits, spaces and signs: this one holds a character that cannot be typed the same way everywhere")
	ErrIsName   = errors.New("use something other than the username or the name of this service: too little is left without them")
	ErrCommon   = errors.New("use something else: this one is among the first that are guessed. A few words that have nothing to do with each other are hard to guess")
)

// Normalize brings a password to the form that is hashed, so that the same
// password typed on another keyboard is the same password: OpaqueString of
// RFC 8265 (canonical composition, every kind of space the plain one). It reports false for
// what no password can be, which the caller then treats as a wrong password.
func Normalize(password string) (string, bool) {
	// Composition can shorten a text, but never by as much as this. Of bytes that are
	// no UTF-8, the profile would make one and the same replacement character.
	if len(password) > 4*utf8.UTFMax*MaxLength || !utf8.ValidString(password) {
		return "", false
	}
	normal, err := precis.OpaqueString.String(password)
	if err != nil || utf8.RuneCountInString(normal) > MaxLength {
		return "", false
	}
	return normal, true
}

// Choose is [Normalize] for a new password of the user with the given name: it
// returns [ErrTooShort], [ErrTooLong], [ErrUnusable], [ErrIsName] or [ErrCommon] where it
// is not acceptable.
func Choose(password, username string) (string, error) {
	if utf8.RuneCountInString(password) < MinLength {
		return "", ErrTooShort
	}
	normal, ok := Normalize(password)
	switch {
	case !ok && utf8.RuneCountInString(password) > MaxLength:
		return "", ErrTooLong
	case !ok:
		return "", ErrUnusable
	case utf8.RuneCountInString(normal) < MinLength:
		return "", ErrTooShort
	case isContext(normal, username):
		return "", ErrIsName
	case isCommon(normal):
		return "", ErrCommon
	}
	return normal, nil
}
