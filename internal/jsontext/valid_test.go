package jsontext

import (
	"encoding/json"
	"strings"
	"testing"
)

var validCases = []string{
	``, ` `, `{}`, `[]`, ` { } `, "\t[\n]\r", `{"a":1}`, `{"a":1,}`, `{"a" : [1,2 , {"b":null}] }`, `{"a":1 "b":2}`, `{a:1}`, `{"a"}`, `{"a":}`, `{,}`,
	`[1,]`, `[,1]`, `[1 2]`, `{"a":1}}`, `{"a":1`, `[`, `{`, `"`, `"\`, `"\u`, `"\u12`, `"\u12g4"`, `"\u12aF"`, `"\x"`, `"\b\f\n\r\t\\\/\""`, "\"\x1f\"", "\"\x7f\"", "\"\xff\"", `"\'"`,
	`0`, `-0`, `01`, `-`, `+1`, `1.`, `.5`, `1.5`, `1e`, `1e+`, `1E-05`, `1e5.5`, `-1.0e+10`, `00`, `1a`, `0x1`, `--1`, `1_0`,
	`true`, `tru`, `truee`, `false`, `fals`, `null`, `nul`, `nulL`, `NaN`, `{"a":true,"b":false}`, `[true false]`, "\ufeff{}", `/**/1`, `"a"b`, `{"a":1,"a":2}`, `{"":""}`, `[[[[]]]]`, `[[[]]`,
}

// Valid agrees with encoding/json about every text, up to how deep it decodes.
func FuzzValid(f *testing.F) {
	for _, text := range validCases {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := Valid(text), json.Valid(text); got != want {
			t.Errorf("Valid(%q) is %v", text, got)
		}
	})
}

func TestValidStopsAtTheDepthOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{MaxDepth - 1, MaxDepth, MaxDepth + 1} {
		for _, text := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
		} {
			if got, want := Valid([]byte(text)), json.Valid([]byte(text)); got != want {
				t.Errorf("at a depth of %d Valid is %v", depth, got)
			}
		}
	}
}
