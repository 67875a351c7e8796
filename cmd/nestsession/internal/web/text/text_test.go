package text_test

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

var verb = regexp.MustCompile(`%[a-z]`)

// Each language has every text, and the same values go into it.
func TestEveryLanguageHasEveryText(t *testing.T) {
	t.Parallel()
	first := reflect.ValueOf(*text.All()[0])
	for _, language := range text.All() {
		v := reflect.ValueOf(*language)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).IsZero() {
				t.Errorf("%s has no %s", language.Lang, name)
				continue
			}
			if v.Field(i).Kind() != reflect.String {
				continue
			}
			got, want := verb.FindAllString(v.Field(i).String(), -1), verb.FindAllString(first.Field(i).String(), -1)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s takes %v, want %v", language.Lang, name, got, want)
			}
		}
	}
}

// A sentence that was copied from English and not written is found by its letters.
func TestKoreanIsKorean(t *testing.T) {
	t.Parallel()
	v := reflect.ValueOf(*text.For(http.Header{"Accept-Language": {"ko"}}))
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).Kind() != reflect.String || slices.Contains([]string{"Lang", "DeviceOn"}, name) {
			continue
		}
		if s := v.Field(i).String(); !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) {
			t.Errorf("%s is %q", name, s)
		}
	}
}

func TestAcceptLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                                    "en",
		"en":                                  "en",
		"ko":                                  "ko",
		"KO-kr":                               "ko",
		"ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7": "ko",
		"en-US,en;q=0.9,ko;q=0.8":             "en",
		"en;q=0.3, ko;q=0.7":                  "ko",
		"ko;q=0, en;q=0.1":                    "en",
		"ko;q=0":                              "en",
		"fr-FR, fr;q=0.9":                     "en",
		"fr, ko;q=0.5":                        "ko",
		"*":                                   "en",
		"ko;q=x":                              "en",
		"\x00, ;;;=":                          "en",
		strings.Repeat("ko-", 4000):           "en",
	} {
		h := http.Header{}
		if header != "" {
			h.Set("Accept-Language", header)
		}
		if got := text.For(h).Lang; got != want {
			t.Errorf("%.60q: %s, want %s", header, got, want)
		}
	}
	if got := text.For(http.Header{"Accept-Language": {"en;q=0.1", "ko;q=0.9"}}).Lang; got != "ko" {
		t.Errorf("in two fields: %s, want ko", got)
	}
}
