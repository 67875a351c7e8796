package fromexpress

import (
	"encoding/json"

	"github.com/nestsession/session"
)

// OwnerOf is for the store's Config. If Go has set no owner, the owner is the user
// whose number Passport has stored.
func OwnerOf(document []byte) string {
	if owner := session.OwnerOf(document); owner != "" {
		return owner
	}
	var kept struct {
		Passport struct {
			User json.Number `json:"user"`
		} `json:"passport"`
	}
	if json.Unmarshal(document, &kept) != nil || kept.Passport.User == "" {
		return ""
	}
	return "user:" + kept.Passport.User.String()
}
