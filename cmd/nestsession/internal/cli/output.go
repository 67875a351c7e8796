package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// output is where a command writes: its result to out, and notes and warnings to err.
type output struct{ out, err io.Writer }

// input is where a command reads what must not stand on its command line.
type input struct{ io.Reader }

func (in input) terminal() bool { return isTerminal(in.Reader) }

// isTerminal reports whether somebody reads or writes there.
func isTerminal(of any) bool {
	f, ok := of.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printable is text in which nothing moves a terminal's cursor, changes its colours or
// the direction of writing: an owner's name is what somebody once typed. Tabs and ends
// of lines stay.
func printable(text string) string { return escape(text, "\t\n") }

// oneLine is printable text without tabs and ends of lines, for a column.
func oneLine(text string) string {
	if text == "" {
		return "-"
	}
	return escape(text, "")
}

func escape(text, spare string) string {
	var b strings.Builder
	for _, r := range text {
		if unsafe(r) && !strings.ContainsRune(spare, r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unsafe are control characters, line and paragraph separators, and what Unicode has
// for turning the direction (UAX 9).
func unsafe(r rune) bool {
	return unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
