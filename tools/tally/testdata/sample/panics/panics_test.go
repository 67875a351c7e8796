package panics

import "testing"

func TestBefore(*testing.T) {}

func TestPanics(t *testing.T) {
	t.Run("deep", func(*testing.T) { panic("boom") })
}

func TestAfter(*testing.T) {}
