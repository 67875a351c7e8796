package fromexpress

import "encoding/json"

// Account are the keys of req.session that the Go side knows.
type Account struct {
	User     *User    `json:"user,omitempty"`
	Passport Passport `json:"passport,omitzero"` // if the Node side logs in with Passport
	Visits   int      `json:"visits,omitempty"`
}

// User is what the Node side keeps under "user".
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Passport is where Passport keeps what its serializeUser returned.
type Passport struct {
	User json.RawMessage `json:"user,omitempty"`
}
