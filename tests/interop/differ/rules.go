package differ

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/scenario"
)

// The rules about requests by which rows of the table apply.

// headInBetween reports whether a handler changes its session, sends the header, and then continues
// with the session or the stored record.
func headInBetween(p *Place) bool { return goesOn(p.Step) }

func goesOn(s *scenario.Step) bool {
	changed, sent := false, false
	for _, op := range s.Handler {
		switch op.Kind {
		case "nested":
			if sent && changed || goesOn(op.Step) {
				return true
			}
		case "write", "flush", "writeHead":
			sent = true
		case "set", "delete", "incr", "setIn", "push", "regenerate":
			if sent && changed {
				return true
			}
			changed = changed || !sent
		case "save", "reload", "unset", "destroy", "touch", "setMaxAge", "setCookie",
			"storePut", "storePatch", "storeRemove", "storeClear":
			if sent && changed {
				return true
			}
		}
	}
	return false
}

// regeneratesLate reports whether a handler regenerates the session after the header was sent.
func regeneratesLate(p *Place) bool { return late(p.Step) }

func late(s *scenario.Step) bool {
	sent := false
	for _, op := range s.Handler {
		switch op.Kind {
		case "write", "flush", "writeHead":
			sent = true
		case "nested":
			if late(op.Step) {
				return true
			}
		case "regenerate":
			if sent {
				return true
			}
		}
	}
	return false
}

// settingsMeanwhile reports whether another request changes the settings of a cookie while a
// handler runs.
func settingsMeanwhile(p *Place) bool {
	for _, op := range p.Step.Handler {
		if op.Kind != "nested" {
			continue
		}
		for _, inner := range op.Step.Handler {
			if inner.Kind == "setMaxAge" || inner.Kind == "setCookie" {
				return true
			}
		}
	}
	return false
}

// fails reports whether a call of the store fails during a step or a nested request.
func fails(s *scenario.Step, call string) bool {
	for _, f := range s.Faults {
		if f.Call == call && f.Code == "" {
			return true
		}
	}
	for _, op := range s.Handler {
		if op.Kind == "nested" && fails(op.Step, call) {
			return true
		}
	}
	return false
}

func unsetDestroys(s *scenario.Scenario) bool {
	for _, l := range s.Layers {
		if l.Options.UnsetDestroys {
			return true
		}
	}
	return false
}

// layers returns the session layers that serve a step.
func layers(p *Place) []scenario.Layer {
	if p.Step.Variant != "" {
		return p.Scenario.Variants[p.Step.Variant]
	}
	return p.Scenario.Layers
}

// applied returns the layers that are mounted at the request's path.
func applied(p *Place) []scenario.Layer {
	var out []scenario.Layer
	path := scenario.TargetPath(p.Step.Path)
	for _, l := range layers(p) {
		if l.Covers(path) {
			out = append(out, l)
		}
	}
	return out
}

// shareStore reports whether layers share a store and have different cookies.
func shareStore(p *Place) bool {
	all := slices.Clone(p.Scenario.Layers)
	for _, variant := range p.Scenario.Variants {
		all = append(all, variant...)
	}
	first := map[string]scenario.Layer{}
	for _, l := range all {
		if other, again := first[l.Store]; !again {
			first[l.Store] = l
		} else if !reflect.DeepEqual(other.Options.Cookie, l.Options.Cookie) || l.Options.CookieByPath != nil {
			return true
		}
	}
	return false
}

// withinWord reports whether a request is for a path like "/foobar" while the cookie's path is
// "/foo".
func withinWord(p *Place) bool {
	path := scenario.TargetPath(p.Step.Path)
	for _, l := range applied(p) {
		cookie, _ := l.Options.CookieFor(path).Get("path").(string)
		rest, is := strings.CutPrefix(path, cookie)
		if is && cookie != "" && !strings.HasSuffix(cookie, "/") && rest != "" && rest[0] != '/' {
			return true
		}
	}
	return false
}

// assignsAuto reports whether a handler sets secure or sameSite to "auto", itself or in a nested
// request.
func assignsAuto(s *scenario.Step) bool {
	for _, op := range s.Handler {
		if op.Cookie.Get("secure") == "auto" || op.Cookie.Get("sameSite") == "auto" || op.Kind == "nested" && assignsAuto(op.Step) {
			return true
		}
	}
	return false
}

// storedAuto reports whether a record contains that word.
func storedAuto(want *scenario.Result) bool {
	for _, docs := range want.Store {
		for _, doc := range docs {
			object, _ := doc.(map[string]any)
			cookie, _ := object["cookie"].(map[string]any)
			if cookie["secure"] == "auto" || cookie["sameSite"] == "auto" {
				return true
			}
		}
	}
	return false
}
