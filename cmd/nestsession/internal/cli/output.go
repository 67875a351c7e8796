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

// input is where a command reads what must not be on its command line.
type input struct{ io.Reader }

func (in input) terminal() bool { return isTerminal(in.Reader) }

// isTerminal reports whether the file is a terminal.
func isTerminal(of any) bool {
	f, ok := of.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printable returns text without characters that move a terminal's cursor, change its colors or the
// direction of writing: an owner's name may contain anything. Tabs and ends of lines stay.
func printable(text string) string { return escape(text, "\t\n") }

// oneLine returns printable text without tabs and ends of lines, for a column.
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

// unsafe are control characters, line and paragraph separators, and Unicode's characters that
// change the direction (UAX 9).
func unsafe(r rune) bool {
	return unicode.IsControl(r) || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
