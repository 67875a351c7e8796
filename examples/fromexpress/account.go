package fromexpress

import "encoding/json"

// Account has the keys of req.session that the Go side knows.
type Account struct {
	User     *User    `json:"user,omitempty"`
	Passport Passport `json:"passport,omitzero"` // if the Node side logs in with Passport
	Visits   int      `json:"visits,omitempty"`
}

// User is the value that the Node side stores under "user".
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Passport is the member in which Passport stores the result of its serializeUser.
type Passport struct {
	User json.RawMessage `json:"user,omitempty"`
}
