package writes

import (
	"fmt"
	"testing"
)

func TestFailsWithoutNewline(t *testing.T) {
	fmt.Print("begun and not ended")
	t.Fail()
}

func TestPassesWithoutNewline(*testing.T) { fmt.Print("and this one") }
