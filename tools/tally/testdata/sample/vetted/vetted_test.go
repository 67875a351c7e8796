package vetted

import (
	"fmt"
	"testing"
)

func TestVetted(*testing.T) { fmt.Printf("%d\n", "text") }
