package differ

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Table has all intended differences.
var Table = []Row{
	{
		Note:    "resurrected",
		Differs: "the record is not written again, the save fails, and no cookie is sent for it",
		Reason:  "a session that has ended does not come back: a write never creates it again (CVE-2025-46336)",
		Allows:  staysDead,
	},
	{
		Note:    "stored-but-client-has-no-cookie",
		Differs: "the record is not stored; or, if it can be stored, its cookie is sent",
		Reason:  "a session that no client can return to is not stored; if a handler saves it by hand, its cookie is sent",
		Allows:  reachable,
	},
	{
		Note:    "cookie-sent-but-nothing-stored",
		Differs: "no cookie is sent for a session that is not stored",
		Reason:  "a session is stored before its cookie is sent",
		Allows: func(p *Place, d *compare.Difference) bool {
			missing, extra := cookies(d)
			return d.Field == compare.Cookies && len(extra) == 0 &&
				every(missing, func(c scenario.Cookie) bool { return of(c) != "" && !stored(p.Got, of(c)) })
		},
	},
	{
		Note:    "key-order-only-change",
		Differs: "the record is touched and not written, and its cookie is not sent again",
		Reason:  "another order of keys does not count as a change, because Go's maps have no order",
		Allows:  unchanged,
	},
	{
		Tag:     "quirk:late-error",
		Differs: "the response is only the error, without the cookie; or New refuses the configuration",
		Reason:  "a response is sent after its session is stored, so that a failure can be reported; a configuration that can never work is refused by New",
		Allows:  errorPage,
		Refuses: true,
	},
	{
		Tag:     "quirk:failed-save-not-retried",
		Differs: "the save is tried again at the end, and if it fails again the response is only the error",
		Reason:  "changes whose save failed are not dropped silently, and no cookie is sent for a session that is not stored",
		Allows:  errorPage,
	},
	{
		Tag:     "quirk:bad-record-fails-request",
		Differs: "the handler answers with a new session; the record stays as it is",
		Reason:  "a record that cannot be read must not keep its user logged out forever",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Status, compare.Body:
				return p.Want.ErrorResponse && p.Got.Status == 200
			case compare.Values: // the handler has run
				return p.Want.ErrorResponse && d.Expected == nil
			}
			return false
		},
	},
	{
		Tag:     "quirk:reserved-keys",
		Differs: "the record is touched and not written, so that the keys stay in it",
		Reason:  "keys that express-session cannot have as data belong to the program that wrote them",
		Allows:  keysStay,
	},
	{
		Tag:     "quirk:id-collision",
		Differs: "the second session gets another id, and the first stays as it is",
		Reason:  "an id that is in use is never given to another session",
		Allows:  anotherID,
	},
	{
		Rule:    "the record was removed during the request",
		Is:      func(p *Place) bool { return hasOutcome(p.Got, " gone") },
		Differs: "the record is not written again, the save fails, and no cookie is sent for it",
		Reason:  "see the note resurrected",
		Allows:  staysDead,
	},
	{
		Rule:    "a record has a reserved member",
		Is:      hasReserved,
		Differs: "it is touched and not written, so that the member stays in it",
		Reason:  "see the tag quirk:reserved-keys",
		Allows:  keysStay,
	},
	{
		Rule:    "the generator gives an id that is in use",
		Is:      repeats,
		Differs: "the session gets another id, and the first stays as it is",
		Reason:  "see the tag quirk:id-collision",
		Allows:  anotherID,
	},
	{
		Rule:    "a record's cookie has a maxAge, or a date that is a number",
		Is:      oddLifetime,
		Differs: "the handler sees the session's lifetime as it is stored, and no cookie is sent again for it",
		Reason:  "express-session reads such a lifetime, drops it at the next touch, and never writes one",
		Allows:  lifetimeUnseen,
	},
	{
		Rule:    "the request's path continues within the last segment of the cookie's path",
		Is:      withinWord,
		Differs: "there is no session for paths to which no browser sends the cookie",
		Reason:  "a cookie's path covers whole segments (RFC 6265 section 5.1.4)",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Values:
				v := value(d.Got)
				return v.NoSession || v.Op == "has" && v.Value == false
			case compare.Cookies:
				_, extra := cookies(d)
				return len(extra) == 0
			case compare.Calls:
				return len(d.GotCalls) == 0
			case compare.Stored:
				return len(p.Got.Calls) == 0
			}
			return false
		},
	},
	{
		Rule:    "several session layers apply to the request",
		Is:      func(p *Place) bool { return len(applied(p)) > 1 },
		Differs: "the layers after the first also store their own sessions and send cookies",
		Reason:  "several managers in one chain all work, each with a session of its own",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Cookies:
				missing, extra := cookies(d)
				return len(missing) == 0 && every(extra, func(c scenario.Cookie) bool {
					return slices.ContainsFunc(applied(p)[1:], func(l scenario.Layer) bool { return l.Options.Name == c.Name })
				})
			case compare.Calls:
				missing, extra := calls(d)
				return len(missing) == 0 && every(extra, func(c string) bool {
					return slices.ContainsFunc(applied(p)[1:], func(l scenario.Layer) bool { return strings.HasPrefix(c, l.Store+":") })
				})
			case compare.Stored:
				return d.Expected == nil
			}
			return false
		},
	},
	{
		Rule:    "session layers with different cookies share a store, in one chain or as servers side by side",
		Is:      shareStore,
		Differs: "a new session has the cookie settings of the layer that makes it",
		Reason:  "in express-session the layer that was created last decides for all layers that share its store, because each sets the store's generator of sessions",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Cookies:
				missing, extra := cookies(d)
				return slices.EqualFunc(missing, extra, func(a, b scenario.Cookie) bool {
					a.Attrs, b.Attrs = nil, nil
					return a.Change == "new" && reflect.DeepEqual(a.Shown(), b.Shown())
				})
			case compare.Stored:
				return sends(p.Want, d.ID) && (d.Expected == nil || d.Got == nil || sameData(d)) // one of the sessions may have expired
			case compare.Values:
				return d.Op == "cookie"
			}
			return false
		},
	},
	{
		Tag:     "quirk:auto-in-function",
		Differs: "secure and sameSite have the values for this request",
		Reason:  "\"auto\" means the same whether the cookie's options are given or computed",
		Allows:  autoResolved,
	},
	{
		Rule:    "the handler assigns auto, or has assigned it before",
		Is:      func(p *Place) bool { return assignsAuto(p.Step) || storedAuto(p.Want) },
		Differs: "secure and sameSite have the values for this request",
		Reason:  "\"auto\" means the same wherever it is set; express-session writes the word into the cookie",
		Allows:  autoResolved,
	},
	{
		Rule:    "the handler changes the session, sends the header, and then continues with the session or its record",
		Is:      headInBetween,
		Differs: "the record was stored before the header was sent, so it can be reloaded, removed, changed by others, and written once more",
		Reason:  "changes are stored before the header is sent, because the response may confirm them",
		Allows:  storedWithHead,
	},
	{
		Rule:    "the handler regenerates the session after the header was sent",
		Is:      regeneratesLate,
		Differs: "Regenerate returns an error, the session keeps its old id, and no session begins under a new one",
		Reason:  "the client cannot get a new id any more, so a new id would log the user out",
		Allows:  keepsSession,
	},
	{
		Rule:    "another request changes the settings of the cookie during this one",
		Is:      settingsMeanwhile,
		Differs: "they stay changed; express-session's touch restores the old ones",
		Reason:  "a touch changes only the expiry, so that it cannot undo another request's change",
		Allows:  otherSettings,
	},
	{
		Rule:    "the store fails to save or to touch",
		Is:      func(p *Place) bool { return fails(p.Step, "set") || fails(p.Step, "touch") },
		Differs: "the response is only the error, without the cookie",
		Reason:  "see the tag quirk:late-error",
		Allows:  errorPage,
	},
	{
		Rule:    "the store cannot be read, and unset is destroy",
		Is:      func(p *Place) bool { return fails(p.Step, "get") && unsetDestroys(p.Scenario) },
		Differs: "the record is not removed",
		Reason:  "nothing in the request asks to end a session that could not be loaded; express-session ends it",
		Allows: func(_ *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Calls:
				missing, extra := calls(d)
				return len(extra) == 0 && every(missing, func(c string) bool { return idIn(c, "destroy") != "" })
			case compare.Stored:
				return d.Expected == nil
			}
			return false
		},
	},
	{
		Rule:    "the store fails to remove",
		Is:      func(p *Place) bool { return fails(p.Step, "destroy") },
		Differs: "there is no error if there is nothing to remove, and no second error at the end if the handler got the first",
		Reason:  "a session that was never stored is not removed, and none is removed twice",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Values:
				got, want := value(d.Got), value(d.Expected)
				return (d.Op == "destroy" || d.Op == "regenerate") && got.OK != nil && *got.OK && want.OK != nil && !*want.OK &&
					!hasCall(p.Got, func(c string) bool { return strings.Contains(c, "destroy ") })
			case compare.Late:
				return len(d.GotOf.Late) == 0
			}
			return false
		},
	},
}
