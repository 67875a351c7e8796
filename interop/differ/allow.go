package differ

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/interop/compare"
	"github.com/nestsession/session/interop/scenario"
)

// gone tells whether the library refused to write a record that was removed. One
// that nobody has seen under its name is U among the calls.
func gone(p *Place, id string) bool {
	return id != "" && (has(p.Got, "set "+id+" gone") || !stored(p.Got, id) && hasHidden(p.Got, " gone"))
}

// staysDead allows that a removed record is not written again.
func staysDead(p *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Stored:
		return d.Got == nil && gone(p, d.ID)
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(extra) == 0 && every(missing, func(c scenario.Cookie) bool { return gone(p, of(c)) })
	case compare.Calls: // nor touched after that
		missing, extra := calls(d)
		return every(missing, func(c string) bool { return gone(p, idIn(c, "set")) || gone(p, idIn(c, "touch")) }) &&
			every(extra, func(c string) bool { return strings.HasSuffix(c, " gone") || idIn(c, "set") == "U" })
	case compare.Values:
		return d.Op == "save" && refused(d) && hasOutcome(p.Got, " gone")
	}
	return false
}

// refused tells an operation that fails in place of doing what it should not.
func refused(d *compare.Difference) bool {
	got, want := value(d.Got), value(d.Expected)
	return got.OK != nil && !*got.OK && want.OK != nil && *want.OK
}

// reachable allows that a new session without cookie is not stored, or that its
// cookie is sent.
func reachable(p *Place, d *compare.Difference) bool {
	lost := func(id string) bool { return id == "U" || id != "" && !stored(p.Got, id) && stored(p.Want, id) }
	switch d.Field {
	case compare.Stored:
		return d.Got == nil && d.Expected != nil
	case compare.Calls:
		missing, extra := calls(d)
		return len(extra) == 0 && every(missing, func(c string) bool { return lost(idIn(c, "set")) || idIn(c, "destroy") == "U" })
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(missing) == 0 && every(extra, func(c scenario.Cookie) bool {
			return c.Change == "new" && stored(p.Got, of(c)) && stored(p.Want, of(c))
		})
	case compare.Values: // a save by hand
		return d.Op == "save" && refused(d)
	}
	return false
}

// unchanged allows that a record is touched in place of written, and that nothing
// is sent for it.
func unchanged(_ *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(extra) == 0 && every(missing, func(c scenario.Cookie) bool { return c.Change == "same" })
	case compare.Calls:
		missing, extra := calls(d)
		return slices.EqualFunc(missing, extra, func(set, touch string) bool {
			return idIn(set, "set") != "" && idIn(set, "set") == idIn(touch, "touch")
		})
	}
	return false
}

// errorPage allows that a request whose session could not be saved is answered
// with the error alone.
func errorPage(p *Place, d *compare.Difference) bool {
	if p.Got.Status != 500 || len(p.Got.Late) == 0 {
		return false
	}
	switch d.Field {
	case compare.Status, compare.Body, compare.Headers, compare.Late:
		return true
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(extra) == 0 && every(missing, func(c scenario.Cookie) bool { return of(c) != "" })
	case compare.Calls: // of an id that nobody has seen, as many times as it was tried
		failed := func(c string) bool { return strings.Contains(c, ":set ") && strings.HasSuffix(c, " error") }
		missing, extra := calls(d)
		return all(missing, failed) && all(extra, failed)
	case compare.Stored: // express-session stored what has no cookie
		return d.Got == nil
	}
	return false
}

// sentAgain allows that the cookie of a session that the client has is sent, signed
// by the first secret.
func sentAgain(_ *Place, d *compare.Difference) bool {
	if d.Field != compare.Cookies {
		return false
	}
	missing, extra := cookies(d)
	return len(missing) == 0 && every(extra, func(c scenario.Cookie) bool {
		return c.Change == "same" && c.SignedBy != nil && *c.SignedBy == 0
	})
}

// anotherID allows that an id which is taken is not used for a new session.
func anotherID(p *Place, d *compare.Difference) bool {
	taken := func(id string) bool { return has(p.Got, "set "+id+" taken") }
	switch d.Field {
	case compare.Cookies:
		missing, extra := cookies(d)
		return every(missing, func(c scenario.Cookie) bool { return taken(of(c)) }) &&
			every(extra, func(c scenario.Cookie) bool { return stored(p.Got, of(c)) && !stored(p.Want, of(c)) })
	case compare.Calls:
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return taken(idIn(c, "set")) }) &&
			every(extra, func(c string) bool { return idIn(c, "set") != "" })
	case compare.Stored:
		return d.Got != nil && (taken(d.ID) || d.Expected == nil)
	}
	return false
}

// givenUp tells a handler that changes data, lets the head leave, and then
// reloads, drops, ends or regenerates the session.
func givenUp(p *Place) bool { return givesUp(p.Step) }

func givesUp(s *scenario.Step) bool {
	changed, sent := false, false
	for _, op := range s.Handler {
		switch op.Kind {
		case "set", "delete", "incr", "setIn", "push", "regenerate":
			if sent && changed && op.Kind == "regenerate" {
				return true
			}
			changed = changed || !sent
		case "write", "flush", "writeHead":
			sent = true
		case "reload", "unset", "destroy":
			if sent && changed {
				return true
			}
		case "nested":
			if givesUp(op.Step) {
				return true
			}
		}
	}
	return false
}

// storedWithHead allows what was stored when the head left.
func storedWithHead(p *Place, d *compare.Difference) bool {
	wrote := func(id string) bool { return id != "" && has(p.Got, "set "+id) && !has(p.Want, "set "+id) }
	switch d.Field {
	case compare.Calls:
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return wrote(idIn(c, "touch")) }) &&
			every(extra, func(c string) bool { return wrote(idIn(c, "set")) })
	case compare.Stored:
		return wrote(d.ID) && d.Got != nil
	case compare.Values: // seen after a reload
		return d.Op == "get" || d.Op == "keys" || d.Op == "cookie"
	}
	return false
}

// sameData tells whether two documents differ in their cookie member alone.
func sameData(d *compare.Difference) bool {
	return reflect.DeepEqual(data(d.Expected), data(d.Got))
}

// regeneratesLate tells a handler that regenerates after the head has left.
func regeneratesLate(p *Place) bool { return late(p.Step, "regenerate") }

func late(s *scenario.Step, kind string) bool {
	sent := false
	for _, op := range s.Handler {
		switch op.Kind {
		case "write", "flush", "writeHead":
			sent = true
		case "nested":
			if late(op.Step, kind) {
				return true
			}
		case kind:
			if sent {
				return true
			}
		}
	}
	return false
}

// keepsSession allows that Regenerate fails, that the session goes on under its old
// id, and that none begins under a new one.
func keepsSession(p *Place, d *compare.Difference) bool {
	failed := -1
	for _, v := range d.GotOf.Values {
		if failed < 0 && v.Op == "regenerate" && v.OK != nil && !*v.OK {
			failed = v.I
		}
	}
	switch d.Field {
	case compare.Values:
		return failed >= 0 && max(value(d.Got).I, value(d.Expected).I) >= failed
	case compare.Calls:
		missing, extra := calls(d)
		return failed >= 0 && slices.ContainsFunc(missing, func(c string) bool { return idIn(c, "destroy") != "" }) &&
			!slices.ContainsFunc(extra, func(c string) bool { return idIn(c, "destroy") != "" && !has(p.Want, c) })
	case compare.Stored:
		return (d.Expected == nil) != (d.Got == nil) || sameData(d)
	}
	return false
}
