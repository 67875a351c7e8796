package promises

import (
	"testing"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func TestAll(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]Env{"native": {}, "express": {Express: true}} {
		env.Store = func(t *testing.T) store.Store {
			s := memstore.New(memstore.Config{})
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			All(t, env)
		})
	}
}
