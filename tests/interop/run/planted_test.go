package run_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/tests/interop/differ"
	"github.com/nestsession/session/tests/interop/run"
	"github.com/nestsession/session/tests/interop/scenario"
)

// planted are changes that make an expectation wrong, one for each field that is compared. Each
// changes a copy and reports whether it found something to change.
var planted = map[string]func(r *scenario.Result) bool{
	"status": func(r *scenario.Result) bool { r.Status++; return true },
	"body": func(r *scenario.Result) bool {
		r.Body += "x"
		return !r.ErrorResponse
	},
	"header more": func(r *scenario.Result) bool {
		r.Headers = maps.Clone(r.Headers)
		r.Headers["x-planted"] = "1"
		return true
	},
	"header less": func(r *scenario.Result) bool {
		had := len(r.Headers) > 0
		r.Headers = map[string]string{}
		return had
	},
	"cookie more": func(r *scenario.Result) bool {
		value := "planted"
		r.Cookies = append(slices.Clone(r.Cookies), scenario.Cookie{Name: "planted", Value: &value})
		return true
	},
	"cookie less": func(r *scenario.Result) bool {
		had := len(r.Cookies) > 0
		r.Cookies = nil
		return had
	},
	"cookie name":  cookie(func(c *scenario.Cookie) bool { c.Name += "x"; return true }),
	"cookie id":    cookie(func(c *scenario.Cookie) bool { return c.ID != nil && change(&c.ID, *c.ID+"9") }),
	"cookie value": cookie(func(c *scenario.Cookie) bool { return c.Value != nil && change(&c.Value, *c.Value+"9") }),
	"cookie change": cookie(func(c *scenario.Cookie) bool {
		c.Change = map[string]string{"same": "new", "new": "same"}[c.Change]
		return c.Change != ""
	}),
	"cookie signed by": cookie(func(c *scenario.Cookie) bool { return c.SignedBy != nil && change(&c.SignedBy, *c.SignedBy+1) }),
	"cookie flag":      attribute("HttpOnly", nil),
	"cookie path":      attribute("Path", "/planted"),
	"cookie expiry":    attribute("Expires", map[string]any{"in": 1.0}),
	"cookie attribute more": cookie(func(c *scenario.Cookie) bool {
		c.Attrs = maps.Clone(c.Attrs)
		c.Attrs["Planted"] = true
		return true
	}),
	"value more": func(r *scenario.Result) bool {
		r.Values = append(slices.Clone(r.Values), scenario.Value{I: 99, Op: "has", Value: true, HasValue: true})
		return true
	},
	"value less": func(r *scenario.Result) bool {
		had := len(r.Values) > 0
		r.Values = nil
		return had
	},
	"value seen": value(func(v *scenario.Value) bool {
		v.Value = "planted"
		return v.HasValue
	}),
	"value missing": value(func(v *scenario.Value) bool {
		v.Missing = !v.Missing
		return v.Op == "get"
	}),
	"value ok": value(func(v *scenario.Value) bool { return v.OK != nil && change(&v.OK, !*v.OK) }),
	"value no session": value(func(v *scenario.Value) bool {
		v.NoSession = !v.NoSession
		return v.Result == nil
	}),
	"value index": value(func(v *scenario.Value) bool { v.I += 100; return true }),
	"nested status": value(func(v *scenario.Value) bool {
		if v.Result == nil {
			return false
		}
		inner := *v.Result
		inner.Status++
		v.Result = &inner
		return true
	}),
	"call more": func(r *scenario.Result) bool {
		r.Calls = append(slices.Clone(r.Calls), "get planted hit")
		return true
	},
	"call less": func(r *scenario.Result) bool {
		had := len(r.Calls) > 0 && !strings.HasPrefix(r.Calls[0], "destroy ")
		r.Calls = nil
		return had
	},
	"call outcome": func(r *scenario.Result) bool {
		r.Calls = slices.Clone(r.Calls)
		for i, c := range r.Calls {
			if before, hit := strings.CutSuffix(c, " hit"); hit {
				r.Calls[i] = before + " miss"
				return true
			}
		}
		return false
	},
	"record more": func(r *scenario.Result) bool {
		r.Store = cloneStore(r.Store)
		r.Store["main"]["planted"] = map[string]any{"cookie": map[string]any{}}
		return true
	},
	"record less": record(func(docs map[string]any, id string, _ map[string]any) bool {
		delete(docs, id)
		return true
	}),
	"record data": record(func(docs map[string]any, id string, doc map[string]any) bool {
		doc["planted"] = 1.0
		docs[id] = doc
		return true
	}),
	"record expiry":   recordCookie("expires", map[string]any{"in": 1.0}),
	"record lifetime": recordCookie("originalMaxAge", 12345.0),
	"record path":     recordCookie("path", "/planted"),
	"record secure":   recordCookie("secure", "planted"),
	"interim": func(r *scenario.Result) bool {
		r.Interim = append(slices.Clone(r.Interim), scenario.Interim{Status: 103})
		return true
	},
	"late error": func(r *scenario.Result) bool {
		if len(r.Late) > 0 {
			r.Late = nil
		} else {
			r.Late = []string{"planted"}
		}
		return true
	},
}

func change[T any](p **T, v T) bool {
	*p = &v
	return true
}

func cookie(do func(c *scenario.Cookie) bool) func(r *scenario.Result) bool {
	return func(r *scenario.Result) bool {
		r.Cookies = slices.Clone(r.Cookies)
		for i := range r.Cookies {
			if do(&r.Cookies[i]) {
				return true
			}
		}
		return false
	}
}

// attribute changes an attribute of a cookie, or removes it.
func attribute(name string, to any) func(r *scenario.Result) bool {
	return cookie(func(c *scenario.Cookie) bool {
		_, there := c.Attrs[name]
		c.Attrs = maps.Clone(c.Attrs)
		c.Attrs[name] = to
		if to == nil {
			delete(c.Attrs, name)
		}
		return there
	})
}

func value(do func(v *scenario.Value) bool) func(r *scenario.Result) bool {
	return func(r *scenario.Result) bool {
		r.Values = slices.Clone(r.Values)
		for i := range r.Values {
			if before := r.Values[i]; do(&r.Values[i]) {
				return true
			} else {
				r.Values[i] = before
			}
		}
		return false
	}
}

func cloneStore(s scenario.Store) scenario.Store {
	out := scenario.Store{}
	for label, docs := range s {
		out[label] = maps.Clone(docs)
	}
	return out
}

func record(do func(docs map[string]any, id string, doc map[string]any) bool) func(r *scenario.Result) bool {
	return func(r *scenario.Result) bool {
		r.Store = cloneStore(r.Store)
		for _, docs := range r.Store {
			for _, id := range slices.Sorted(maps.Keys(docs)) {
				if doc, ok := docs[id].(map[string]any); ok && do(docs, id, maps.Clone(doc)) {
					return true
				}
			}
		}
		return false
	}
}

func recordCookie(name string, to any) func(r *scenario.Result) bool {
	return record(func(docs map[string]any, id string, doc map[string]any) bool {
		member, ok := doc["cookie"].(map[string]any)
		if !ok {
			return false
		}
		member = maps.Clone(member)
		member[name] = to
		doc["cookie"] = member
		docs[id] = doc
		return true
	})
}

// ruled reports whether a rule of the table applies to a step: the scenarios with such steps test
// what the rule allows.
func ruled(c scenario.Case, step int) bool {
	place := differ.Place{Scenario: c.Scenario, Step: &c.Scenario.Steps[step], Want: &c.Expected[step], Got: &c.Expected[step]}
	return slices.ContainsFunc(differ.Table, func(r differ.Row) bool { return r.Is != nil && r.Is(&place) })
}

// A wrong expectation fails, in whatever field it is wrong, in a scenario that passes and in the
// other steps of one with an intended difference.
func TestPlantedDifferencesAreFound(t *testing.T) {
	t.Parallel()
	cases, outcomes := replayed()
	var wrong []scenario.Case
	var what []string
	for _, name := range slices.Sorted(maps.Keys(planted)) {
		// Only some of the steps are tried for each change, so that the test does not take minutes;
		// all of them if no step was found.
		before := len(wrong)
		for _, sample := range []int{211, 1} {
			for i, c := range cases {
				for step := range c.Expected {
					done := len(wrong)-before >= 10
					if done || (31*i+7*step+len(name))%sample != 0 || outcomes[i].Err != nil || ruled(c, step) || differs(outcomes[i], step) {
						continue
					}
					bad := c
					bad.Expected = slices.Clone(c.Expected)
					if planted[name](&bad.Expected[step]) {
						wrong, what = append(wrong, bad), append(what, name)
					}
				}
			}
			if len(wrong) > before {
				break
			}
		}
		if len(wrong) == before {
			t.Errorf("%s: nowhere to plant it", name)
		}
	}
	for i, o := range run.All(wrong) {
		if o.Verdict() != run.Failed {
			t.Errorf("%s: planted %s is not found\n%s", o.Name, what[i], failures(o))
		}
	}
}

func differs(o run.Outcome, step int) bool {
	return slices.ContainsFunc(o.Findings, func(f run.Finding) bool { return f.Step == step })
}
