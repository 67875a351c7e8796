package session

// policy holds the rules in which express-session differs from this package. A manager has
// one policy: native, or express under Config.Express.Rules. The table of docs/options.md
// describes what a rule means for users. What express-session does was recorded from it
// (tests/interop).
//
// The options beside Rules in Config.Express are not rules: each of them works by itself.
type policy interface {
	// cookieNeedsWrite: a visit sends the cookie only together with a write that has shown
	// that the session lives, since another request may have logged in and sent a newer
	// one. The cookie then moves with each visit's write.
	cookieNeedsWrite() bool

	// cookieEndsWithSession: the cookie's Max-Age and Expires are cut at the absolute
	// timeout, and both are sent.
	cookieEndsWithSession() bool

	// refusesEndedLifetimes: a MaxAge that has already ended fails the save, and one beyond
	// the absolute timeout logs a warning.
	refusesEndedLifetimes() bool

	// saveIsUse: Save, and SetCookie with the same lifetime, begin the idle timeout anew.
	saveIsUse() bool

	// storesEmptyRegenerated: Regenerate with nothing put in is stored, also of a session
	// that was never stored, and also after the headers are sent if no cookie is.
	storesEmptyRegenerated() bool

	// defersHarmlessWrites: writes that can be lost without harm (a touch, Resave, an empty
	// new session) are done at the end of the request, after the headers are sent.
	defersHarmlessWrites() bool

	// reloadKeepsView: Reload of a session that has ended, or was never stored, keeps the
	// request's view.
	reloadKeepsView() bool

	// triesEndsAgain: what Regenerate could not delete is deleted at the request's end.
	triesEndsAgain() bool

	// leavesTombstones: a session that has ended, or has a new id, leaves a small record in
	// its place for the grace. Otherwise nothing stays where express-session would look for
	// it: the end deletes the record, and a link under another key leads to the new id.
	leavesTombstones() bool

	// ownsRecords: only managers write records. Otherwise a record that cannot be decoded
	// is left to the program that wrote it, the store handles expiry, and an owner may come
	// from the store (Config.OwnerOf of the stores).
	ownsRecords() bool

	// holdsLargeIntegers: numbers from 2^53 on come back exactly.
	holdsLargeIntegers() bool
}

// policyOf returns the policy of a configuration.
func policyOf(o *ExpressOptions) policy {
	if o.Rules {
		return express{}
	}
	return native{}
}

// native is how this package decides.
type native struct{}

func (native) cookieNeedsWrite() bool { return true }

func (native) cookieEndsWithSession() bool { return true }

func (native) refusesEndedLifetimes() bool { return true }

func (native) saveIsUse() bool { return true }

func (native) storesEmptyRegenerated() bool { return false }

func (native) defersHarmlessWrites() bool { return false }

func (native) reloadKeepsView() bool { return false }

func (native) triesEndsAgain() bool { return true }

func (native) leavesTombstones() bool { return true }

func (native) ownsRecords() bool { return true }

func (native) holdsLargeIntegers() bool { return true }

// express is how express-session 1.19 decides.
type express struct{}

func (express) cookieNeedsWrite() bool { return false }

func (express) cookieEndsWithSession() bool { return false }

func (express) refusesEndedLifetimes() bool { return false }

func (express) saveIsUse() bool { return false }

func (express) storesEmptyRegenerated() bool { return true }

func (express) defersHarmlessWrites() bool { return true }

func (express) reloadKeepsView() bool { return true }

func (express) triesEndsAgain() bool { return false }

func (express) leavesTombstones() bool { return false }

func (express) ownsRecords() bool { return false }

func (express) holdsLargeIntegers() bool { return false }
