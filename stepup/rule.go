package stepup

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule is what a route demands of the user's last login. The zero Rule demands that there
// was one.
type Rule struct {
	// MaxAge is how old the login may be. Zero: of any age. A negative one: no login is new
	// enough.
	MaxAge time.Duration

	// Methods are words of the application that Login was given, such as "password" and
	// "totp". The login must have been by all of them, unless Satisfies is set. The
	// response to a client that is refused names them.
	Methods []string

	// Satisfies, if set, decides instead of Methods whether the methods of a login are
	// enough: for levels such as "aal1" and "aal2", of which one includes the other.
	Satisfies func(methods []string) bool
}

// Login is what a session knows of its user's last login. A *session.Session is one.
type Login interface {
	AuthenticatedAt() time.Time
	AuthenticatedBy() []string
}

// skew is how far the clocks of two nodes may be apart: a login may be that far in the future.
const skew = time.Minute

// Check returns nil if a login satisfies the rule at the time now, and otherwise what the
// response to the client says.
func (r Rule) Check(l Login, now time.Time) *Problem {
	at := l.AuthenticatedAt()
	p := Problem{Type: Type, Title: "A newer or stronger login is needed", Status: http.StatusForbidden, Error: Code}
	if at.IsZero() {
		p.Missing = append(p.Missing, MissingLogin)
	} else if age := now.Sub(at); r.MaxAge < 0 || r.MaxAge > 0 && (age > r.MaxAge || age < -skew) {
		p.Missing = append(p.Missing, MissingMaxAge)
	}
	if !r.satisfied(l.AuthenticatedBy()) {
		p.Missing = append(p.Missing, MissingMethods)
	}
	if len(p.Missing) == 0 {
		return nil
	}
	if r.MaxAge != 0 {
		seconds := max(0, int64(r.MaxAge/time.Second))
		p.MaxAge = &seconds
	}
	p.ACRValues = strings.Join(r.Methods, " ")
	p.Detail = "Log in again, and then repeat the request."
	return &p
}

func (r Rule) satisfied(methods []string) bool {
	if r.Satisfies != nil {
		return r.Satisfies(methods)
	}
	for _, m := range r.Methods {
		if !slices.Contains(methods, m) {
			return false
		}
	}
	return true
}

// The constants of a [Problem].
const (
	// Type is the type of the problem (RFC 9457).
	Type = "https://www.rfc-editor.org/rfc/rfc9470.html#section-3"
	// Code is the error code of RFC 9470.
	Code = "insufficient_user_authentication"

	MissingLogin   = "login"      // the user has not logged in
	MissingMaxAge  = "max_age"    // the login is too old
	MissingMethods = "acr_values" // the login was not by these methods
)

// Problem is the response to a client that is not a browser's page: application/problem+json
// (RFC 9457) with the vocabulary of RFC 9470. It is sent with status 403, because the
// session itself is valid.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	Error     string   `json:"error"`
	Missing   []string `json:"missing"`              // MissingLogin, MissingMaxAge or MissingMethods
	MaxAge    *int64   `json:"max_age,omitempty"`    // in seconds; nil: the login may be of any age
	ACRValues string   `json:"acr_values,omitempty"` // Rule.Methods, with spaces between them
	Login     string   `json:"login,omitempty"`      // the path of the login page
}

// ServeHTTP sends the problem. A client that has sent an Authorization header with the scheme
// Bearer gets the same in WWW-Authenticate, as RFC 9470 describes it.
func (p *Problem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		challenge := `Bearer error="` + p.Error + `", error_description="` + p.Title + `"`
		if p.MaxAge != nil {
			challenge += `, max_age="` + strconv.FormatInt(*p.MaxAge, 10) + `"`
		}
		if p.ACRValues != "" {
			challenge += `, acr_values="` + strings.Map(quotable, p.ACRValues) + `"`
		}
		h.Set("WWW-Authenticate", challenge)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // it can be encoded; the client may have disconnected
}

// quotable drops what has no place in the value of acr_values (RFC 6750 section 3).
func quotable(r rune) rune {
	if r < ' ' || r > '~' || r == '"' || r == '\\' {
		return -1
	}
	return r
}
