package compare

import (
	"regexp"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/scenario"
)

// call is one call of a store: "second:get S1 hit".
type call struct {
	label, kind, id, outcome string
}

func parseCall(text string) call {
	c := call{label: scenario.MainStore}
	head, rest, _ := strings.Cut(text, " ")
	if i := strings.LastIndexByte(head, ':'); i >= 0 {
		c.label, head = head[:i], head[i+1:]
	}
	c.kind, c.id = head, rest
	if i := strings.LastIndexByte(rest, ' '); i >= 0 {
		switch o := rest[i+1:]; o {
		case "hit", "miss", "error", "gone", "taken":
			c.id, c.outcome = rest[:i], o
		}
	}
	return c
}

var (
	hiddenID    = regexp.MustCompile(`^U[1-9][0-9]*$`)
	generatedID = regexp.MustCompile(`^[SU][1-9][0-9]*$`)
)

// calls returns the calls that count, in order. Three kinds do not count, because the format allows
// them to be missing: the removal of a generated id that was never in a store, a second removal of
// an id, and a second write of an id in one request. No client or other server can distinguish ids
// that occur only in calls, so all of these are called U.
func calls(list []string, stored records) []string {
	out := []string{}
	for _, text := range list {
		p := parseCall(text)
		if p.kind == "destroy" && generatedID.MatchString(p.id) && !stored[p.label+" "+p.id] {
			continue
		}
		if hiddenID.MatchString(p.id) {
			p.id = "U"
		}
		text = strings.TrimSpace(p.label + ":" + p.kind + " " + p.id + " " + p.outcome)
		if (p.kind == "set" || p.kind == "destroy") && slices.Contains(out, text) {
			continue
		}
		out = append(out, text)
	}
	return out
}
