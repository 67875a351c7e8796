package differ

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// What the rows of the table allow. Calls are in the form "main:set S1".

// staysDead allows that a removed record is not written again, and that nothing
// else is done with it after that.
func staysDead(p *Place, d *compare.Difference) bool {
	if !hasOutcome(p.Got, " gone") {
		return false
	}
	switch d.Field {
	case compare.Stored:
		return d.Got == nil && gone(p, d.ID)
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(extra) == 0 && every(missing, func(c scenario.Cookie) bool { return gone(p, of(c)) })
	case compare.Calls:
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return gone(p, idOf(c)) }) &&
			all(extra, func(c string) bool { return strings.HasSuffix(c, " gone") || idIn(c, "set") == "U" })
	case compare.Values: // the save that is refused, and what is seen of the session then
		return refused(d) || value(d.Got).I > firstRefused(d.GotOf)
	}
	return false
}

// gone tells whether the library refused to write a record that was removed. One
// that nobody has seen under its name is U among the calls.
func gone(p *Place, id string) bool {
	return id != "" && (has(p.Got, "set "+id+" gone") || !stored(p.Got, id) && hasHidden(p.Got, " gone"))
}

// refused tells an operation that fails in place of doing what it should not.
func refused(d *compare.Difference) bool {
	got, want := value(d.Got), value(d.Expected)
	return got.OK != nil && !*got.OK && want.OK != nil && *want.OK
}

// firstRefused is the index of the first operation that failed; more than any if
// there is none.
func firstRefused(r *scenario.Result) int {
	for _, v := range r.Values {
		if v.OK != nil && !*v.OK {
			return v.I
		}
	}
	return 1 << 30
}

// reachable allows that a new session without cookie is not stored, or that its
// cookie is sent.
func reachable(p *Place, d *compare.Difference) bool {
	sent := func(id string) bool { return id != "" && sends(p.Got, id) && !sends(p.Want, id) }
	unseen := func(id string) bool { return id == "U" || id != "" && !stored(p.Got, id) }
	switch d.Field {
	case compare.Stored:
		return d.Got == nil && d.Expected != nil
	case compare.Calls:
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return unseen(idOf(c)) || sent(idOf(c)) }) &&
			all(extra, func(c string) bool { return idIn(c, "get") == "U" || sent(idOf(c)) })
	case compare.Cookies:
		missing, extra := cookies(d)
		return len(missing) == 0 && every(extra, func(c scenario.Cookie) bool { return sent(of(c)) && has(p.Got, "set "+of(c)) })
	case compare.Values: // a save by hand, and a reload of what was not saved
		return refused(d) && (d.Op == "save" || d.Op == "reload")
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
// with the error alone, and that the failure is told.
func errorPage(_ *Place, d *compare.Difference) bool {
	if d.Field == compare.Late {
		return len(d.GotOf.Late) > 0 || !hasOutcome(d.GotOf, " error") // nothing was tried
	}
	answered := d.GotOf.Status == 500 && len(d.GotOf.Late) > 0
	switch d.Field {
	case compare.Status, compare.Body, compare.Headers:
		return answered
	case compare.Cookies:
		missing, extra := cookies(d)
		return answered && len(extra) == 0 && every(missing, func(c scenario.Cookie) bool { return of(c) != "" })
	case compare.Calls: // of an id that nobody has seen, as many times as it was tried
		failed := func(c string) bool { return idIn(c, "set") != "" && strings.HasSuffix(c, " error") }
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return failed(c) || idIn(c, "touch") != "" }) && all(extra, failed)
	case compare.Stored: // nothing of the request is
		return answered
	}
	return false
}

// autoResolved allows what comes of a secure or sameSite that is "auto" and resolved,
// where express-session takes the word as it stands.
func autoResolved(_ *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Cookies: // one that it cannot write, or does not send over plain HTTP
		missing, extra := cookies(d)
		return len(missing) == 0 && every(extra, func(c scenario.Cookie) bool { return of(c) != "" })
	case compare.Values:
		return d.Op == "cookie"
	case compare.Stored:
		return d.Expected != nil && d.Got != nil && sameData(d)
	case compare.Late:
		return len(d.GotOf.Late) == 0
	}
	return false
}

// anotherID allows that an id which is taken is not used for a new session.
func anotherID(p *Place, d *compare.Difference) bool {
	taken := func(id string) bool { return id != "" && has(p.Got, "set "+id+" taken") }
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

// storedWithHead allows what comes of a record that was stored when the head left,
// and not only at the end.
func storedWithHead(p *Place, d *compare.Difference) bool {
	early := func(id string) bool { return id != "" && (has(p.Got, "set "+id) || has(p.Got, "set "+id+" gone")) }
	switch d.Field {
	case compare.Calls:
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return early(idOf(c)) }) &&
			all(extra, func(c string) bool { return early(idOf(c)) })
	case compare.Stored:
		return early(d.ID)
	case compare.Cookies: // of a nested request
		return d.GotOf != p.Got
	case compare.Values:
		switch d.Op {
		case "get", "keys", "cookie", "reload":
			return true
		}
	}
	return false
}

// keepsSession allows that Regenerate fails, that the session goes on under its old
// id, and that none begins under a new one.
func keepsSession(p *Place, d *compare.Difference) bool {
	if !refusesRegenerate(p.Got) {
		return false
	}
	switch d.Field {
	case compare.Values:
		return max(value(d.Got).I, value(d.Expected).I) >= firstRefused(d.GotOf) || d.GotOf != p.Got
	case compare.Calls, compare.Stored:
		return true
	case compare.Cookies: // those of a nested request; of this one the id that it goes under
		want, _ := d.Expected.([]scenario.Cookie)
		got, _ := d.Got.([]scenario.Cookie)
		return d.GotOf != p.Got || slices.EqualFunc(want, got, func(a, b scenario.Cookie) bool {
			return a.Name == b.Name && reflect.DeepEqual(a.Attrs, b.Attrs)
		})
	}
	return false
}

func refusesRegenerate(r *scenario.Result) bool {
	return slices.ContainsFunc(r.Values, func(v scenario.Value) bool {
		return v.Op == "regenerate" && v.OK != nil && !*v.OK || v.Result != nil && refusesRegenerate(v.Result)
	})
}

// otherSettings allows that a touch moves the expiry alone, and leaves the cookie's
// settings to whoever changed them.
func otherSettings(_ *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Stored:
		return d.Expected != nil && d.Got != nil && sameData(d)
	case compare.Values:
		return d.Op == "cookie"
	}
	return false
}

// sameData reports whether two documents differ only in their cookie member.
func sameData(d *compare.Difference) bool {
	return reflect.DeepEqual(data(d.Expected), data(d.Got))
}
