package engine

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Resync sets the state after a step to that of the expectation: the records in the stores, the
// cookies in the jars, the numbers of ids. So the steps after an intended difference are compared
// as if it had not occurred. jars are the jars before the step, start is the time when it began.
func (w *World) Resync(s *scenario.Step, want *scenario.Result, jars map[string]*client.Jar, start time.Time) error {
	w.renumber()
	w.mu.Lock()
	w.jars = jars
	w.mu.Unlock()
	if err := w.receive(s, want); err != nil {
		return err
	}
	for label, docs := range want.Store {
		if err := w.restore(w.store(label), docs, start); err != nil {
			return fmt.Errorf("store %s: %w", label, err)
		}
	}
	return nil
}

// Jars returns copies of all jars.
func (w *World) Jars() map[string]*client.Jar {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]*client.Jar{}
	for name, j := range w.jars {
		out[name] = j.Clone()
	}
	return out
}

var generatedName = regexp.MustCompile(`^S([1-9][0-9]*)$`)

// Expect records the numbers that the expectation of a step uses.
func (w *World) Expect(want *scenario.Result) { w.numbers.most = w.highest(want) }

// renumber uses up as many numbers as expectations have used.
func (w *World) renumber() {
	n := &w.numbers
	most := n.most
	for id, number := range n.visible {
		if number > most {
			delete(n.visible, id)
		}
	}
	n.ids = n.ids[:min(len(n.ids), most+1)]
	for len(n.ids) <= most {
		w.see(w.placeholder())
	}
}

// highest returns the highest number that the expectations have used so far.
func (w *World) highest(want *scenario.Result) int {
	most := w.numbers.most
	look := func(name any) {
		text, _ := name.(string)
		if m := generatedName.FindStringSubmatch(text); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				most = max(most, n)
			}
		}
	}
	var walk func(*scenario.Result)
	walk = func(r *scenario.Result) {
		for _, v := range r.Values {
			if v.Op == "id" {
				look(v.Value)
			}
			if v.Result != nil {
				walk(v.Result)
			}
		}
		for _, c := range r.Cookies {
			if c.ID != nil {
				look(*c.ID)
			}
		}
		for _, docs := range r.Store {
			for id := range docs {
				look(id)
			}
		}
	}
	walk(want)
	return most
}

// realID returns the id for a name in an expectation.
func (w *World) realID(name string) string {
	if m := generatedName.FindStringSubmatch(name); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n < len(w.numbers.ids) {
			return w.numbers.ids[n]
		}
	}
	return name
}

// receive stores the cookies that express-session sent in the jars.
func (w *World) receive(s *scenario.Step, want *scenario.Result) error {
	for _, v := range want.Values {
		if v.Result != nil && v.I < len(s.Handler) && s.Handler[v.I].Step != nil {
			if err := w.receive(s.Handler[v.I].Step, v.Result); err != nil {
				return err
			}
		}
	}
	for _, c := range want.Cookies {
		switch {
		case c.Value != nil:
			w.jar(s.Client).Set(c.Name, *c.Value)
		case c.ID != nil && c.SignedBy != nil:
			secrets := w.apps[s.Variant].secrets(c.Name)
			if *c.SignedBy >= len(secrets) {
				return fmt.Errorf("cookie %s: there is no secret %d", c.Name, *c.SignedBy)
			}
			w.jar(s.Client).Set(c.Name, client.Escape(client.Sign(secrets[*c.SignedBy], w.realID(*c.ID))))
		}
	}
	return nil
}

func (a *app) secrets(name string) []string {
	for _, l := range a.layers {
		if l.Options.Name == name {
			return l.Options.Secrets
		}
	}
	return nil
}

// restore replaces the records of a store with those of an expectation.
func (w *World) restore(s *Store, docs map[string]any, start time.Time) error {
	are, err := s.documents(start)
	if err != nil {
		return err
	}
	wanted := map[string]any{}
	for name, doc := range docs {
		wanted[w.realID(name)] = doc
	}
	for _, id := range slices.Sorted(maps.Keys(are)) {
		if _, stays := wanted[id]; !stays {
			if err := s.remove(id); err != nil {
				return err
			}
		}
	}
	for id, doc := range wanted {
		if reflect.DeepEqual(compare.Document(are[id]), compare.Document(doc)) {
			continue
		}
		object, ok := resolve(doc, start).(map[string]any)
		if !ok {
			return fmt.Errorf("the record %q is no object", id)
		}
		if err := s.put(id, object); err != nil {
			return err
		}
	}
	return nil
}
