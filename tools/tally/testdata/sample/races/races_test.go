package races

import "testing"

func TestRaces(t *testing.T) {
	t.Run("within", func(*testing.T) {
		n, done := 0, make(chan struct{})
		go func() {
			n++
			close(done)
		}()
		n++
		<-done
	})
}

func TestFine(*testing.T) {}
