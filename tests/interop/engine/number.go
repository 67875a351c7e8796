package engine

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

const idOpen, idClose = "\x00", "\x01"

// numbers gives generated ids the names S1, S2, ... in order of visibility, and
// U1, U2, ... to those that are only seen in calls.
type numbers struct {
	visible map[string]int
	hidden  map[string]int
	ids     []string // by number, from 1 on
	most    int      // the highest that expectations are known to have used
}

func (n *numbers) init() {
	n.visible, n.hidden, n.ids = map[string]int{}, map[string]int{}, []string{""}
}

// see numbers an id if it is a generated one that has no number yet.
func (w *World) see(id string) {
	if _, generated := w.generated(id); !generated {
		return
	}
	if _, again := w.numbers.visible[id]; !again {
		w.numbers.visible[id] = len(w.numbers.ids)
		w.numbers.ids = append(w.numbers.ids, id)
	}
}

// name is what an expectation calls an id.
func (w *World) name(id string) string {
	if n, ok := w.numbers.visible[id]; ok {
		return fmt.Sprintf("S%d", n)
	}
	return id
}

// labels are the stores in use, in order.
func (w *World) labels() []string {
	var labels []string
	for label := range w.stores {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return labels
}

// number names the ids in the result of a step. The order is that of the
// recorder: what id operations saw, with those of nested requests and then their
// cookies where they stand; the step's cookies; what is in the stores. A cookie that
// is sent on purpose where express-session sends none, or the other way round, must
// not shift the numbers of all that follow: so a cookie more makes no id visible, and
// one less uses up a number.
func (w *World) number(r, want *scenario.Result) {
	w.seeRequest(r, want)
	w.seeStores(r, want)
	for label, docs := range r.Store {
		named := map[string]any{}
		for id, doc := range docs {
			named[w.name(id)] = doc
		}
		r.Store[label] = named
	}
	w.nameRequest(r)
}

// seeStores numbers the generated ids that are seen in stores alone, in the order in
// which they were generated. Where express-session has stored more sessions than
// the library, on purpose, its documents tell which of the numbers are not to be
// given away.
func (w *World) seeStores(r, want *scenario.Result) {
	type stored struct {
		id  string
		at  int
		doc any
	}
	var unseen []stored
	for _, docs := range r.Store {
		for id, doc := range docs {
			_, seen := w.numbers.visible[id]
			if at, generated := w.generated(id); generated && !seen {
				unseen = append(unseen, stored{id, at, doc})
			}
		}
	}
	slices.SortFunc(unseen, func(a, b stored) int { return a.at - b.at })
	for i, u := range unseen {
		for spare := w.unseenIn(want) - len(unseen) + i; spare > 0; spare-- {
			name := fmt.Sprintf("S%d", len(w.numbers.ids))
			if sameSomewhere(want, name, u.doc) {
				break
			}
			w.reserve(name, w.placeholder())
		}
		w.see(u.id)
	}
}

// unseenIn counts the numbers in the stores of an expectation that are not used yet.
func (w *World) unseenIn(want *scenario.Result) int {
	n := 0
	for _, docs := range want.Store {
		for name := range docs {
			if m := generatedName.FindStringSubmatch(name); m != nil {
				if number, err := strconv.Atoi(m[1]); err == nil && number >= len(w.numbers.ids) {
					n++
				}
			}
		}
	}
	return n
}

func sameSomewhere(want *scenario.Result, name string, doc any) bool {
	for _, docs := range want.Store {
		if other, ok := docs[name]; ok && reflect.DeepEqual(compare.Document(other), compare.Document(doc)) {
			return true
		}
	}
	return false
}

func (w *World) seeRequest(r, want *scenario.Result) {
	for i, v := range r.Values {
		if id, ok := v.Value.(string); ok && v.Op == "id" {
			w.see(id)
		}
		if v.Result == nil {
			continue
		}
		nested := v.Result
		if i < len(want.Values) && want.Values[i].Result != nil {
			nested = want.Values[i].Result
		}
		w.seeRequest(v.Result, nested)
	}
	sent := map[string][]string{} // by name of the cookie
	for _, c := range r.Cookies {
		if c.ID != nil {
			sent[c.Name] = append(sent[c.Name], *c.ID)
		}
	}
	for _, c := range want.Cookies {
		if ids := sent[c.Name]; c.ID != nil && len(ids) > 0 {
			w.see(ids[0])
			sent[c.Name] = ids[1:]
		} else if c.ID != nil {
			w.reserve(*c.ID, hiddenID(w, r))
		}
	}
}

// hiddenID is the id that a request tried to store last, if nobody has seen it: the
// one that express-session would have sent.
func hiddenID(w *World, r *scenario.Result) string {
	for _, c := range slices.Backward(r.Calls) {
		before, rest, _ := strings.Cut(c, idOpen)
		id, _, _ := strings.Cut(rest, idClose)
		_, seen := w.numbers.visible[id]
		if _, generated := w.generated(id); generated && !seen && strings.HasSuffix(before, "set ") {
			return id
		}
	}
	return w.placeholder()
}

// reserve gives the next number, if it is this one, to an id that is not visible.
func (w *World) reserve(name, id string) {
	if name == fmt.Sprintf("S%d", len(w.numbers.ids)) {
		w.see(id)
	}
}

func (w *World) nameRequest(r *scenario.Result) {
	for i := range r.Values {
		v := &r.Values[i]
		if id, ok := v.Value.(string); ok && v.Op == "id" {
			v.Value = w.name(id)
		}
		if v.Result != nil {
			w.nameRequest(v.Result)
		}
	}
	for i := range r.Cookies {
		if id := r.Cookies[i].ID; id != nil {
			name := w.nameInCall(*id)
			r.Cookies[i].ID = &name
		}
	}
	for i, c := range r.Calls {
		before, rest, _ := strings.Cut(c, idOpen)
		id, after, _ := strings.Cut(rest, idClose)
		r.Calls[i] = before + w.nameInCall(id) + after
	}
}

func (w *World) nameInCall(id string) string {
	_, generated := w.generated(id)
	if _, seen := w.numbers.visible[id]; seen || !generated {
		return w.name(id)
	}
	n := &w.numbers
	if n.hidden[id] == 0 {
		n.hidden[id] = len(n.hidden) + 1
	}
	return fmt.Sprintf("U%d", n.hidden[id])
}
