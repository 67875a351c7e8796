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

// numbers gives generated ids the names S1, S2, ... in the order in which they become visible, and
// U1, U2, ... to those that occur only in calls.
type numbers struct {
	visible map[string]int
	hidden  map[string]int
	ids     []string // by number, from 1 on
	most    int      // the highest number that the expectations have used
}

func (n *numbers) init() {
	n.visible, n.hidden, n.ids = map[string]int{}, map[string]int{}, []string{""}
}

// see gives an id a number if it was generated and has none.
func (w *World) see(id string) {
	if _, generated := w.generated(id); !generated {
		return
	}
	if _, again := w.numbers.visible[id]; !again {
		w.numbers.visible[id] = len(w.numbers.ids)
		w.numbers.ids = append(w.numbers.ids, id)
	}
}

// name returns the name of an id in expectations.
func (w *World) name(id string) string {
	if n, ok := w.numbers.visible[id]; ok {
		return fmt.Sprintf("S%d", n)
	}
	return id
}

// labels returns the labels of the stores in use, in order.
func (w *World) labels() []string {
	var labels []string
	for label := range w.stores {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return labels
}

// number names the ids in the result of a step. The order is that of the recorder: the ids that
// operations returned, with those of nested requests and their cookies at their place; then the
// step's cookies; then the stores. An intended difference in which cookies are sent must not shift
// the later numbers. So an additional cookie makes no id visible, and for a missing cookie one
// number is skipped.
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

// seeStores gives numbers to the generated ids that occur only in stores, in the order in which
// they were generated. If express-session has, by an intended difference, stored more sessions than
// the library, its documents show which numbers to skip.
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

// unseenIn returns how many numbers in the stores of an expectation are not used yet.
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

// hiddenID returns the id that a request tried last to store, if no client has seen it: the id that
// express-session would have sent.
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
