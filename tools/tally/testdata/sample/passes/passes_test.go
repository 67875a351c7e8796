package passes

import (
	"fmt"
	"testing"
)

func TestPasses(t *testing.T) {
	fmt.Println("noise of one that passes")
	t.Run("within", func(t *testing.T) { t.Log("noise of one within") })
}

func Example() {
	fmt.Println("shown")
	// Output: shown
}

func FuzzPasses(f *testing.F) {
	f.Add("seed")
	f.Fuzz(func(*testing.T, string) {})
}
