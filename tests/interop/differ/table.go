package differ

import (
	"reflect"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/compare"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Table lists all that differs on purpose.
var Table = []Row{
	{
		Note:    "resurrected",
		Differs: "the record stays away, its write is refused, and no cookie is sent for it",
		Reason:  "what was ended stays ended: a write never creates a session again (CVE-2025-46336)",
		Allows:  staysDead,
	},
	{
		Note:    "stored-but-client-has-no-cookie",
		Differs: "the record is not stored, or where it can be, its cookie is sent",
		Reason:  "a session that no client can return to is not stored; one that a handler saves by hand gets its cookie",
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
		Differs: "the record is touched and not written, and its cookie not sent again",
		Reason:  "the order of a map's keys is no change: Go's maps have none",
		Allows:  unchanged,
	},
	{
		Tag:     "quirk:late-error",
		Differs: "the answer is the error alone, without the cookie; or New refuses the configuration",
		Reason:  "a response is not sent before its session is stored, so that a failure can be told; what can never work is refused when it is configured",
		Allows:  errorPage,
		Refuses: true,
	},
	{
		Tag:     "quirk:failed-save-not-retried",
		Differs: "the save is tried again at the end, and if it fails again the answer is the error alone",
		Reason:  "changes whose save failed are not dropped silently, and no cookie is sent for a session that is not stored",
		Allows:  errorPage,
	},
	{
		Tag:     "quirk:bad-record-fails-request",
		Differs: "the answer is that of a handler with a new session; the record stays as it is",
		Reason:  "a record that cannot be read must not lock its user out for ever",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Status, compare.Body:
				return p.Want.ErrorResponse && p.Got.Status == 200
			case compare.Values: // the handler ran
				return p.Want.ErrorResponse && d.Expected == nil
			}
			return false
		},
	},
	{
		Tag:     "quirk:reserved-keys",
		Differs: "the record is touched and not written, so that the keys stay in it",
		Reason:  "keys that express-session cannot have as data are left to the program that wrote them",
		Allows:  keysStay,
	},
	{
		Tag:     "quirk:id-collision",
		Differs: "the second session gets another id, and the first stays as it is",
		Reason:  "an id that is in use is never given to somebody else",
		Allows:  anotherID,
	},
	{
		Rule:    "the record was removed while the request was under way",
		Is:      func(p *Place) bool { return hasOutcome(p.Got, " gone") },
		Differs: "the record stays away, its write is refused, and no cookie is sent for it",
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
		Reason:  "express-session reads such a lifetime, forgets it at the next touch, and writes none",
		Allows:  lifetimeUnseen,
	},
	{
		Rule:    "the request's path goes on within the last word of the cookie's path",
		Is:      withinWord,
		Differs: "there is no session where no browser would send the cookie",
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
		Differs: "those after the first send and store their own sessions as well",
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
		Differs: "a new session has the cookie of the layer that makes it",
		Reason:  "in express-session the layer that was set up last decides for all that share its store, since each puts its own generator of sessions there",
		Allows: func(p *Place, d *compare.Difference) bool {
			switch d.Field {
			case compare.Cookies:
				missing, extra := cookies(d)
				return slices.EqualFunc(missing, extra, func(a, b scenario.Cookie) bool {
					a.Attrs, b.Attrs = nil, nil
					return a.Change == "new" && reflect.DeepEqual(a.Shown(), b.Shown())
				})
			case compare.Stored:
				return sends(p.Want, d.ID) && (d.Expected == nil || d.Got == nil || sameData(d)) // one may be over already
			case compare.Values:
				return d.Op == "cookie"
			}
			return false
		},
	},
	{
		Tag:     "quirk:auto-in-function",
		Differs: "secure and sameSite are what they are for this request",
		Reason:  "\"auto\" means the same whether the cookie's options are given or computed",
		Allows:  autoResolved,
	},
	{
		Rule:    "the handler assigns auto, or has",
		Is:      func(p *Place) bool { return assignsAuto(p.Step) || storedAuto(p.Want) },
		Differs: "secure and sameSite are what they are for this request",
		Reason:  "\"auto\" means the same wherever it is said; express-session writes the word into the cookie",
		Allows:  autoResolved,
	},
	{
		Rule:    "the session is changed, then the head leaves, and then the handler goes on with the session or its record",
		Is:      headInBetween,
		Differs: "the record was stored with the head: it is there to be reloaded, removed, changed by others, and written once more",
		Reason:  "changes are stored before the head leaves, since that may say that they are; what was said cannot be taken back",
		Allows:  storedWithHead,
	},
	{
		Rule:    "regenerates after the head has left",
		Is:      regeneratesLate,
		Differs: "Regenerate returns an error, the session goes on under its old id, and none begins under a new one",
		Reason:  "the client cannot get a new id any more: the user would be logged out",
		Allows:  keepsSession,
	},
	{
		Rule:    "another request changes the settings of the cookie meanwhile",
		Is:      settingsMeanwhile,
		Differs: "they stay changed, where express-session's touch puts back those that it knew",
		Reason:  "a touch moves the expiry and nothing else, so that it cannot undo another request's change",
		Allows:  otherSettings,
	},
	{
		Rule:    "the store fails to save or to touch",
		Is:      func(p *Place) bool { return fails(p.Step, "set") || fails(p.Step, "touch") },
		Differs: "the answer is the error alone, without the cookie",
		Reason:  "see the tag quirk:late-error",
		Allows:  errorPage,
	},
	{
		Rule:    "the store cannot be read, and unset is destroy",
		Is:      func(p *Place) bool { return fails(p.Step, "get") && unsetDestroys(p.Scenario) },
		Differs: "the record is not removed",
		Reason:  "a request whose session could not be loaded has not been told to end it; express-session ends it",
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
		Differs: "no error, where there is nothing to remove, and none at the end after the handler was told",
		Reason:  "a session that was never stored is not removed from the store, and none is removed twice",
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
