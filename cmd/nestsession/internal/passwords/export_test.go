package passwords

import "testing"

// Enter takes a place of the hasher.
func Enter(h *Hasher, t *testing.T) (leave func()) {
	t.Helper()
	leave, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return leave
}
