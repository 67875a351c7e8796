package subtests

import (
	"fmt"
	"testing"
)

func TestParent(t *testing.T) {
	t.Log("what the parent says")
	t.Run("good", func(t *testing.T) {
		t.Parallel()
		t.Log("noise of the good")
	})
	t.Run("group", func(t *testing.T) {
		t.Run("bad", func(t *testing.T) {
			t.Parallel()
			t.Error("the bad's reason")
		})
		t.Run(`it's (a) "b" $c [d]/e|f`, func(t *testing.T) {
			t.Parallel()
			t.Error("the odd's reason")
		})
	})
}

func TestParallel(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint("n", i), func(t *testing.T) {
			t.Parallel()
			if i%2 == 1 {
				t.Errorf("reason %d", i)
			}
		})
	}
}

func TestItself(t *testing.T) { t.Error("reason of the test itself") }

func Example() {
	fmt.Println("one thing")
	// Output: another
}

func FuzzFails(f *testing.F) {
	f.Add("seed")
	f.Fuzz(func(t *testing.T, _ string) { t.Error("reason of the seed") })
}
