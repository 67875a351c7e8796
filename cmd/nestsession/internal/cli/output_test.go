package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
)

// hostile is an owner's name that would clear a terminal, or reverse the text after it.
const hostile = "kim\x1b[2J\u009b1m\u202e\tx\n"

func TestOutputHasNoControlCharacters(t *testing.T) {
	t.Parallel()
	s := sessions.Session{Info: session.Info[map[string]any]{Digest: "0123", Owner: hostile, Expires: time.Unix(1, 0)}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"a row":  func(b *bytes.Buffer) error { return writeRow(b, s, false) },
		"a line": func(b *bytes.Buffer) error { return writeLine(b, s, false) },
		"JSON":   func(b *bytes.Buffer) error { return writeJSON(b, s, false) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u009b\u202e") || strings.Count(b.String(), "\n") != 1 || !strings.Contains(b.String(), "kim") {
			t.Errorf("%s is %q", name, b.String())
		}
		if name != "JSON" {
			continue
		}
		var back description
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Owner != hostile {
			t.Errorf("read back as %q, %v", back.Owner, err)
		}
	}
}

func TestATableHasItsColumnsUnderTheirHeadings(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	writeHeading(&b, false)
	used := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for _, s := range []session.Info[map[string]any]{
		{Digest: strings.Repeat("a", 24), Owner: "user:1", LastUsed: used, Expires: used, Created: used},
		{Digest: strings.Repeat("b", 24)},
	} {
		if err := writeRow(&b, sessions.Session{Info: s}, false); err != nil {
			t.Fatal(err)
		}
	}
	want := `SESSION                   LAST USED            EXPIRES              CREATED              OWNER
aaaaaaaaaaaaaaaaaaaaaaaa  2026-01-02 03:04:05  2026-01-02 03:04:05  2026-01-02 03:04:05  user:1
bbbbbbbbbbbbbbbbbbbbbbbb  -                    -                    -                    -
`
	if b.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", b.String(), want)
	}
}

func TestDataIsShownAsItIsStored(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"cookie":{"path":"/"},"user":{"id":9007199254740993},"a":[1.50,"<b>"],"__nestsession":{"used":1}}`: `{"user":{"id":9007199254740993},"a":[1.50,"<b>"]}`,
		`{"cookie":{}}`:          `{}`,
		`{"a\"b":1,"cookie":{}}`: `{"a\"b":1}`,
		`not JSON`:               `"not JSON"`,
		`[1]`:                    `"[1]"`,
		`{"a":1`:                 `"{\"a\":1"`,
		``:                       `""`,
	} {
		var b bytes.Buffer
		if err := encode(&b, dataOf([]byte(document)), false); err != nil || strings.TrimSuffix(b.String(), "\n") != want {
			t.Errorf("%s is shown as %s, %v; want %s", document, b.String(), err, want)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	r := move.Report{Read: 12, Counts: map[move.Outcome]int64{move.Newer: 2, move.Copied: 10}}
	summarize(&b, r, 1234567*time.Microsecond)
	want := "read 12 sessions in 1.235s\n       10 copied\n        2 left: the session there is newer\n"
	if b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
	if err := verdict(t.Context(), r, nil); err != nil {
		t.Errorf("what is newer at the destination is a failure: %v", err)
	}
	r.Counts[move.Refused] = 1
	if err := verdict(t.Context(), r, nil); err == nil || !strings.Contains(err.Error(), "differ from those at --from: 1") {
		t.Errorf("what was refused is none: %v", err)
	}
}
