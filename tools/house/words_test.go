package main

import (
	"go/scanner"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// phrases are phrases that only this project's authors understand, or figures of speech.
// CONTRIBUTING.md has the table of words.
var phrases = []struct {
	pattern string // matched without regard to case; a space matches any white space
	write   string
}{
	{`\b(broken|breaks?|broke|breaking) (it |them |that )?off\b`, "interrupted, canceled, stopped"},
	{`\b(go|goes|going|went|gone) together\b`, "batched, sent in one call"},
	{`\bwithout saying so\b`, "silently"},
	{`\bwithout a word\b`, "silently"},
	{`\bin silence\b`, "silently"},
	{`\b(tells?|told|telling) of\b`, "reports, publishes, notifies"},
	{`\buntold\b`, "not reported"},
	{`\bheaders? (has|have|had) left\b`, "the headers are sent"},
	{`\bheaders? leaves?([.,;:)]|$| [^o])`, "the headers are sent"},
	{`\bresponse (has left|leaves)\b`, "the response is sent"},
	{`\bbefore this leaves\b`, "before this is sent"},
	{`\S alone[.;:](\s|$)`, "only, before the word that it limits; by itself"},
	{`\b(stands?|standing|stood) in line\b`, "waits for its turn; one after another"},
	{`\bleaves? the line\b`, "stops waiting"},
	{`\b(goes|go|went) by (itself|himself|themselves)\b`, "is sent unbatched"},
	{`\bdoomed\b`, "pending delete; about to be deleted"},
	{`\bthat (is|are|was|were) none(["”.,;:)]|$| [^o])`, "that is not one, invalid"},
	{`\b(is|are|was|were|be|been) had\b`, "is obtained; can be used"},
	{`\bdead on arrival\b`, "already expired"},
	{`\bnot to be seen\b`, "not visible, not detected"},
	{`\bof one's own\b`, "your own, its own"},
	{`\bat the most\b`, "at most"},
	{`\bhangs? on (it|a|an|the|that|this)\b`, "depends on, waits for"},
	{`\bhas his data back\b`, "may reuse the data"},
	{`(^|[.:;] )Who ([a-z]+s|can|had|will) [^.?!]*[.;]`, "anyone who, a caller that, a user who"},
	{`\bis over at\b`, "has ended for, expires for"},
	{`\bleads? nowhere\b`, "has no session, is useless"},
	{`\b(letter for|to the) letter\b`, "byte for byte, exactly"},
	{`\blook(s|ed)? at past\b`, "read past"},
	{`\bworth nothing\b`, "useless, not accepted"},
	{`\bas it went in\b`, "unchanged when it is stored and loaded"},
	{`\ball the same(["”.,;:)]|$)`, "nevertheless, still"},
	{`\bfor ever\b`, "forever"},
	{`\bnatively\b`, "without the preset"},
	{`\bprocessors?(['’]s?)? time\b`, "CPU time"},
	{`\basked after\b`, "loaded again, checked"},
	{`\bcosts nobody\b`, "no user loses"},
	{`\btwo ids for one\b`, "treats two ids as equal"},
	{`\bids are (kept |stored )?in clear\b`, "ids are not hashed"},
	{`\bbroken on purpose\b`, "with injected faults"},
}

// leaveAlone matches "leave the data alone", which is allowed.
var leaveAlone = regexp.MustCompile(`\b(leav(e|es|ing)|left)\b[^.;:]*alone[.;:]\s?$`)

// TestPhrasesThatHaveNoPlainUse: documents, comments and texts of the program use words that a
// newcomer to the project knows.
func TestPhrasesThatHaveNoPlainUse(t *testing.T) {
	t.Parallel()
	checks := make([]*regexp.Regexp, len(phrases))
	for i, p := range phrases {
		flags := "(?i)"
		if strings.HasPrefix(p.pattern, "(^|") {
			flags = "" // this phrase is at the beginning of a sentence
		}
		checks[i] = regexp.MustCompile(flags + strings.ReplaceAll(p.pattern, " ", `\s+`))
	}
	for _, path := range files(t, func(path string) bool {
		ext := filepath.Ext(path)
		return (ext == ".go" || ext == ".md") && path != "tools/house/words_test.go"
	}) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, p := range proseOf(path, read(t, path)) {
				for i, check := range checks {
					for _, at := range check.FindAllStringIndex(p.text, -1) {
						if strings.Contains(phrases[i].pattern, "alone") && leaveAlone.MatchString(p.text[:at[1]]) {
							continue
						}
						line := p.line + strings.Count(p.text[:at[0]], "\n")
						found := strings.Join(strings.Fields(p.text[at[0]:at[1]]), " ")
						t.Errorf("%s:%d: %q; write: %s", path, line, found, phrases[i].write)
					}
				}
			}
		})
	}
}

// prose is text for people.
type prose struct {
	line int
	text string
}

// proseOf returns a document without its section on words, or the comments and strings of
// a Go file. Line breaks stay, so that lines can be counted.
func proseOf(path, text string) []prose {
	if filepath.Ext(path) == ".md" {
		return []prose{{1, withoutWords(text)}}
	}
	var found []prose
	var s scanner.Scanner
	file := token.NewFileSet().AddFile(path, -1, len(text))
	s.Init(file, []byte(text), nil, scanner.ScanComments)
	for last := token.ILLEGAL; ; {
		pos, tok, lit := s.Scan()
		line := file.Line(pos)
		switch {
		case tok == token.EOF:
			return found
		case tok == token.COMMENT && last == token.COMMENT && found[len(found)-1].end()+1 == line:
			found[len(found)-1].text += "\n" + uncommented(lit)
		case tok == token.COMMENT:
			found = append(found, prose{line, uncommented(lit)})
		case tok == token.STRING:
			found = append(found, prose{line, strings.Trim(lit, "\"`")})
		case tok == token.SEMICOLON && lit == "\n":
			continue // after a comment at the end of a line
		}
		last = tok
	}
}

// end is the last line of the text.
func (p prose) end() int { return p.line + strings.Count(p.text, "\n") }

func uncommented(comment string) string {
	return strings.TrimSpace(strings.TrimPrefix(comment, "//"))
}

// withoutWords blanks the section that names the phrases.
func withoutWords(text string) string {
	const head = "\n## Words\n"
	before, section, found := strings.Cut(text, head)
	if !found {
		return text
	}
	section, after, _ := strings.Cut(section, "\n## ")
	return before + head + strings.Repeat("\n", strings.Count(section, "\n")) + "\n## " + after
}

// TestKoreanWords: one Korean word has one meaning, as the table in CONTRIBUTING.md says.
func TestKoreanWords(t *testing.T) {
	t.Parallel()
	for _, path := range documents(t) {
		if !strings.HasSuffix(path, ".ko.md") {
			continue
		}
		for i, line := range strings.Split(read(t, path), "\n") {
			for word, instead := range map[string]string{
				"유저": "사용자", "유져": "사용자", "리포지토리": "리포지터리", "레포": "리포지터리",
				"저장소를 클론": "리포지터리를 클론", "스토어": "세션 저장소", "매달": "기다리는", "state를": "상태를",
			} {
				if strings.Contains(line, word) {
					t.Errorf("%s:%d: %q; write: %s", path, i+1, word, instead)
				}
			}
		}
	}
}
