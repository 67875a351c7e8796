package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// output is where a command writes: to out what was asked for, to err what is
// noted on the way.
type output struct{ out, err io.Writer }

// input is where a command reads what must not stand on its command line.
type input struct{ io.Reader }

func (in input) terminal() bool { return isTerminal(in.Reader) }

// isTerminal reports whether somebody reads or writes there.
func isTerminal(of any) bool {
	f, ok := of.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printable is text in which nothing moves a terminal's cursor or changes its
// colours: an owner's name is what somebody once typed.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
