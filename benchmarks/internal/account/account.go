// Package account has the data that every contender of the benchmarks keeps.
package account

// Account is what a session or a token keeps: 146 bytes of JSON from [New].
type Account struct {
	User   *User    `json:"user,omitempty"`
	Visits int      `json:"visits"`
	Roles  []string `json:"roles"`
}

// User is who is logged in.
type User struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Since string `json:"since"`
}

// New returns the account that is logged in.
func New() Account {
	return Account{
		User:   &User{ID: 482_113, Name: "Ann Example", Email: "a@example.com", Since: "2026-01-01T00:00:00Z"},
		Visits: 41,
		Roles:  []string{"member", "editor", "audit"},
	}
}
