// Package express is the preset for a Go application that shares cookies and stores
// with running express-session applications. Cookie name, signature, keys and documents
// are the same, and so are the rules for when a session is stored and its cookie sent.
package express

import (
	"net/http"

	"github.com/nestsession/session"
)

// Config returns express-session's behaviour, with resave and saveUninitialized off,
// as its documentation advises. Change what the Node application sets:
//
//	cfg := express.Config(os.Getenv("SESSION_SECRET"))
//	cfg.Cookie.MaxAge = 7 * 24 * time.Hour
//
// The remaining differences from express-session are listed in tests/interop/README.md: no
// update is lost, a session that has ended does not come back, and no session is stored that its
// client cannot return to.
//
// Short secrets are accepted, because the running application may have one.
func Config(secrets ...string) session.Config {
	return session.Config{
		Secrets:         secrets,
		Name:            "connect.sid",
		Cookie:          session.Cookie{Secure: session.Insecure, SameSite: session.SameSiteOmit},
		IdleTimeout:     session.NoTimeout, // MaxAge is the timeout; without it nothing expires
		AbsoluteTimeout: session.NoTimeout,
		StoreLimits:     session.StoreLimits{TouchInterval: -1},
		ErrorHandler:    internalServerError,
		Express: session.ExpressOptions{
			Rules:                true,
			KeepCookie:           true,
			KeepDeadCookie:       true,
			InsecureFirstCookie:  true,
			InsecurePlainIDs:     true,
			InsecureShortSecrets: true,
			ReservedKeys:         ReservedKeys(),
		},
	}
}

// ReservedKeys returns the names that express-session drops from the data when it loads
// a session: those of its own members and those that every JavaScript object inherits.
func ReservedKeys() []string {
	return []string{
		"cookie", "req", "id", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate",
		"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
		"__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	}
}

// internalServerError answers as Express does: the same for every failure.
func internalServerError(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
