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

// enough is how many characters a password has to have beyond what everybody would try:
// rows of keys, the username, the name of the service.
const enough = 8

// isCommon reports whether guessers try the password early: it is on the list, repeats a
// shorter text, or is little more than rows of keys, digits or letters. ASVS 5.0, 6.2.4.
func isCommon(normal string) bool {
	lower := strings.ToLower(normal)
	if _, found := common()[lower]; found {
		return true
	}
	letters := []rune(lower)
	return period(letters) < MinLength || beyondRuns(letters) < enough
}

// period is the length of the text that letters repeats, the last time perhaps in part;
// it is all of letters where nothing is repeated.
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

// rows are what fingers run along. Reversed they count as well.
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

// minRun is how many keys in a row are no accident.
const minRun = 3

// beyondRuns counts the characters, and each run along a row or of one key as one.
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

// service is what this program is called, in the words that a user might take.
var service = []string{"nest session", "nest-session", "nestsession"}

// isContext reports whether little is left of the password without the username, its
// parts and the name of the service. ASVS 5.0, 6.2.11.
func isContext(normal, username string) bool {
	rest, username := strings.ToLower(normal), strings.ToLower(username)
	words := append([]string{username}, service...)
	words = append(words, strings.FieldsFunc(username, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })...)
	found := false
	for _, word := range words {
		// A name of one or two letters is in every text.
		if utf8.RuneCountInString(word) >= minRun && strings.Contains(rest, word) {
			rest, found = strings.ReplaceAll(rest, word, ""), true
		}
	}
	return found && utf8.RuneCountInString(rest) < enough
}
