package differ

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// What the rows of the table allow. Calls have the form "main:set S1".

// staysDead allows that a removed record is not written again, and that nothing else is done with
// it afterwards.
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
	case compare.Values: // the refused save, and what operations see of the session afterwards
		return refused(d) || value(d.Got).I > firstRefused(d.GotOf)
	}
	return false
}

// gone reports whether the library refused to write a record that was removed. A record whose name
// no client has seen is U in the calls.
func gone(p *Place, id string) bool {
	return id != "" && (has(p.Got, "set "+id+" gone") || !stored(p.Got, id) && hasHidden(p.Got, " gone"))
}

// refused reports whether an operation returned an error instead of doing what it must not do.
func refused(d *compare.Difference) bool {
	got, want := value(d.Got), value(d.Expected)
	return got.OK != nil && !*got.OK && want.OK != nil && *want.OK
}

// firstRefused returns the index of the first operation that failed; more than any index if none
// failed.
func firstRefused(r *scenario.Result) int {
	for _, v := range r.Values {
		if v.OK != nil && !*v.OK {
			return v.I
		}
	}
	return 1 << 30
}

// reachable allows that a new session without a cookie is not stored, or that its cookie is sent.
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

// unchanged allows that a record is touched instead of written, and that no cookie is sent for it.
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

// errorPage allows that a request whose session could not be saved gets only the error response,
// and that the failure is reported.
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
	case compare.Calls: // of an id that no client has seen, as often as the library tried
		failed := func(c string) bool { return idIn(c, "set") != "" && strings.HasSuffix(c, " error") }
		missing, extra := calls(d)
		return all(missing, func(c string) bool { return failed(c) || idIn(c, "touch") != "" }) && all(extra, failed)
	case compare.Stored: // nothing else of the request remains
		return answered
	}
	return false
}

// autoResolved allows the effects of a secure or sameSite that is "auto" and resolved, where
// express-session uses the word itself.
func autoResolved(_ *Place, d *compare.Difference) bool {
	switch d.Field {
	case compare.Cookies: // a cookie that express-session cannot write, or does not send over plain HTTP
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

// anotherID allows that a new session does not get an id that is already in use.
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

// storedWithHead allows the effects of storing a record when the header was sent, and not only at
// the end.
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

// keepsSession allows that Regenerate fails, that the session keeps its id, and that no session
// begins with a new id.
func keepsSession(p *Place, d *compare.Difference) bool {
	if !refusesRegenerate(p.Got) {
		return false
	}
	switch d.Field {
	case compare.Values:
		return max(value(d.Got).I, value(d.Expected).I) >= firstRefused(d.GotOf) || d.GotOf != p.Got
	case compare.Calls, compare.Stored:
		return true
	case compare.Cookies: // those of a nested request; the id in it is that of this one
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

// otherSettings allows that a touch moves only the expiry, and keeps the cookie settings that
// another request has stored.
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
