package run

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/nestsession/session/tests/interop/scenario"
)

// Report prints each difference in a block, and then how many scenarios passed, failed, and differ
// on purpose.
func Report(w io.Writer, outcomes []Outcome) (failed int, err error) {
	var count [3]int
	for _, o := range outcomes {
		count[o.Verdict()]++
		if err := o.print(w); err != nil {
			return 0, err
		}
	}
	_, err = fmt.Fprintf(w, "%d passed, %d failed, %d differ on purpose\n", count[Passed], count[Failed], count[OnPurpose])
	return count[Failed], err
}

func (o *Outcome) print(w io.Writer) error {
	if o.Err != nil {
		head := "FAILED"
		why := ""
		if o.Refused != nil {
			head, why = "on purpose", fmt.Sprintf("  because   %s (%s)\n", o.Refused.Reason, o.Refused.Key())
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n  %v\n%s\n", head, o.Name, o.Err, why); err != nil {
			return err
		}
	}
	for _, f := range o.Findings {
		head, why := "FAILED", ""
		if f.Row != nil {
			head = "on purpose"
			why = fmt.Sprintf("  because   %s (%s)\n", f.Row.Reason, f.Row.Key())
		}
		_, err := fmt.Fprintf(w, "%s: %s, step %d: %s\n  expected  %s\n  got       %s\n%s\n",
			head, o.Name, f.Step+1, f.Difference.Path, text(f.Difference.Expected), text(f.Difference.Got), why)
		if err != nil {
			return err
		}
	}
	return nil
}

// text returns a value as one line.
func text(v any) string {
	if v == nil {
		return "nothing"
	}
	if value, ok := v.(scenario.Value); ok {
		v = value.Shown()
	}
	if cookies, ok := v.([]scenario.Cookie); ok {
		shown := []any{}
		for _, c := range cookies {
			shown = append(shown, c.Shown())
		}
		v = shown
	}
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(line)
}
