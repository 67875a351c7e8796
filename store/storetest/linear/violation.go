package linear

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/anishathalye/porcupine"
)

// Violation is a history that breaks the contract, or whose check did not end in time.
type Violation struct {
	// Topic, Round and Seed identify the history. The same seed makes the clients try the same
	// operations, but the machine may interleave them in another way.
	Topic Topic
	Round int
	Seed  uint64

	// Reason is what is wrong, in a sentence.
	Reason string

	// Undecided says that the check took longer than [Options.Timeout].
	Undecided bool

	// History is the part that shows it, an operation a line: the client and its instance, the
	// times since the round began, the call and its answer.
	History string

	// Drawing is the path of the HTML file with the whole history, or the reason why there is none.
	Drawing string
}

// Error returns all fields as text of several lines.
func (v *Violation) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "linear: %s, round %d: %s\n%s", v.Topic, v.Round, v.Reason, v.History)
	fmt.Fprintf(&b, "the whole history is drawn in %s\n", v.Drawing)
	fmt.Fprintf(&b, "try again with Options{Seed: %#x, Topics: []Topic{%q}}", v.Seed, v.Topic)
	return b.String()
}

// violation describes this part of the history.
func violation(history, part []operation, reason string) *Violation {
	names := nameAll(history)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, op := range part {
		ended := since(op.ended)
		if op.answer.outcome == unknown {
			ended = "?"
		}
		fmt.Fprintf(w, "  client %d\tinstance %d\t%s … %s\t%s\n",
			op.client, op.node, since(op.began), ended, names.operation(op.call, op.answer))
	}
	w.Flush()
	return &Violation{Reason: reason, History: b.String()}
}

func since(d time.Duration) string { return d.Round(time.Microsecond).String() }

// draw writes porcupine's drawing of the whole history.
func (v *Violation) draw(o Options, history []operation) {
	path, err := drawing(o.Folder, fmt.Sprintf("linear-%s-%d-%x.html", v.Topic, v.Round, v.Seed))
	if err == nil {
		model := o.rules().model(state{}, nameAll(history))
		_, info := porcupine.CheckOperationsVerbose(model, histories(history), o.Timeout)
		err = porcupine.VisualizePath(model, info, path)
	}
	if v.Drawing = path; err != nil {
		v.Drawing = fmt.Sprintf("no file: %v", err)
	}
}

// drawing is the path of a file in the folder, or in a new folder, which is not removed.
func drawing(folder, name string) (string, error) {
	if folder == "" {
		temp, err := os.MkdirTemp("", "linear-")
		if err != nil {
			return "", err
		}
		folder = temp
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	return filepath.Abs(filepath.Join(folder, name))
}
