package users_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

func TestName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typed, name string
		err         error
	}{
		{"kim", "kim", nil},
		{"Kim.Cheol-Su_1@example.com", "kim.cheol-su_1@example.com", nil},
		{"김철수", "김철수", nil},
		{"\u1100\u1175\u11b7", "김", nil}, // decomposed
		{"ｋｉｍ", "kim", nil},              // full width
		{"", "", users.ErrNoName},
		{"kim cheolsu", "", users.ErrBadName},
		{"kim\u200b", "", users.ErrBadName},
		{"kim\n", "", users.ErrBadName},
		{"kim\u202emik", "", users.ErrBadName},
		{"\xff", "", users.ErrBadName},
		{strings.Repeat("가", 64), strings.Repeat("가", 64), nil},
		{strings.Repeat("가", 65), "", users.ErrLongName},
		{strings.Repeat("a", 1<<20), "", users.ErrLongName},
	} {
		name, err := users.Name(c.typed)
		if name != c.name || !errors.Is(err, c.err) {
			t.Errorf("Name(%.40q) = %q, %v; want %q, %v", c.typed, name, err, c.name, c.err)
		}
	}
}
