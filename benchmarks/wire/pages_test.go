package wire_test

import (
	"os"
	"testing"
)

// pages returns the documents whose figures these tests check.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"session-or-jwt.md", "session-or-jwt.ko.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}
