package passwords

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// commonList is the commonest passwords that are long enough, one a line. Its origin and
// licence are in common.LICENSE.txt.
//
//go:embed common.txt
var commonList string

var common = sync.OnceValue(func() map[string]struct{} {
	set := map[string]struct{}{}
	for line := range strings.Lines(commonList) {
		set[strings.TrimSpace(line)] = struct{}{}
	}
	return set
})

// enough is how many characters a password must have beyond those that attackers try first: rows of
// keys, the username, the name of the service.
const enough = 8

// isCommon reports whether attackers try the password early: it is on the list, repeats a shorter
// text, or has little more than rows of keys, digits or letters (ASVS 5.0, 6.2.4).
func isCommon(normal string) bool {
	lower := strings.ToLower(normal)
	if _, found := common()[lower]; found {
		return true
	}
	letters := []rune(lower)
	return period(letters) < MinLength || beyondRuns(letters) < enough
}

// period returns the length of the text that letters repeats, the last time perhaps in part; the
// length of letters if nothing is repeated.
func period(letters []rune) int {
	for p := 1; p <= len(letters)/2; p++ {
		repeats := true
		for i := p; i < len(letters) && repeats; i++ {
			repeats = letters[i] == letters[i-p]
		}
		if repeats {
			return p
		}
	}
	return len(letters)
}

// rows are keys, digits and letters in their order. Their reverse counts as well.
var rows = func() [][]rune {
	texts := []string{
		"abcdefghijklmnopqrstuvwxyz", "01234567890",
		"`1234567890-=", "qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./",
		"qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
		"1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/",
	}
	var all [][]rune
	for _, text := range texts {
		forward := []rune(text)
		backward := make([]rune, len(forward))
		for i, r := range forward {
			backward[len(forward)-1-i] = r
		}
		all = append(all, forward, backward)
	}
	return all
}()

// minRun is how many neighboring keys are not a coincidence.
const minRun = 3

// beyondRuns counts the characters, with each run along a row or of one key as one.
func beyondRuns(letters []rune) (n int) {
	for i := 0; i < len(letters); n++ {
		if l := runLength(letters[i:]); l >= minRun {
			i += l
		} else {
			i++
		}
	}
	return n
}

func runLength(letters []rune) int {
	best := 1
	for best < len(letters) && letters[best] == letters[0] {
		best++
	}
	for _, row := range rows {
		for at, r := range row {
			if r != letters[0] {
				continue
			}
			n := 1
			for n < len(letters) && at+n < len(row) && letters[n] == row[at+n] {
				n++
			}
			best = max(best, n)
		}
	}
	return best
}

// service are the words for this program that a user might choose.
var service = []string{"nest session", "nest-session", "nestsession"}

// isContext reports whether the password has little more than the username, its parts and the name
// of the service (ASVS 5.0, 6.2.11).
func isContext(normal, username string) bool {
	rest, username := strings.ToLower(normal), strings.ToLower(username)
	words := append([]string{username}, service...)
	words = append(words, strings.FieldsFunc(username, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	found := false
	for _, word := range words {
		// Almost every text contains a name of one or two letters.
		if utf8.RuneCountInString(word) >= minRun && strings.Contains(rest, word) {
			rest, found = strings.ReplaceAll(rest, word, ""), true
		}
	}
	return found && utf8.RuneCountInString(rest) < enough
}
