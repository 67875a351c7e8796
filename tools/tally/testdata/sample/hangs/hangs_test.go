package hangs

import "testing"

func TestDone(*testing.T) {}

func TestHangs(t *testing.T) {
	t.Run("forever", func(t *testing.T) {
		t.Parallel()
		select {}
	})
}

func TestLater(*testing.T) {}
