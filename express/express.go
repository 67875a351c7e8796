// Package express is the preset with which a Go application shares cookies and
// stores with express-session applications that are running: same name, same
// signature, same keys, same documents, same rules of when what is stored and sent.
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
// What differs from express-session even so is listed in tests/interop/README.md: no update
// is lost, nothing that was ended comes back, no session is stored that its client
// cannot return to.
//
// Short secrets are accepted, since a running application's cannot be chosen here.
func Config(secrets ...string) session.Config {
	return session.Config{
		Secrets:         secrets,
		Name:            "connect.sid",
		Cookie:          session.Cookie{Secure: session.Insecure, SameSite: session.SameSiteOmit},
		IdleTimeout:     session.NoTimeout, // MaxAge counts; without it nothing expires
		AbsoluteTimeout: session.NoTimeout,
		TouchInterval:   -1,
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

// ReservedKeys are the names that express-session drops from the data when it loads
// a session: its own members' and those that every JavaScript object inherits.
func ReservedKeys() []string {
	return []string{
		"cookie", "req", "id", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate",
		"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
		"__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	}
}

// internalServerError is what Express answers, whatever failed.
func internalServerError(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
