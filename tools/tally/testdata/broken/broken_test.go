package broken

import (
	"testing"

	_ "example.com/nowhere"
)

func TestNever(*testing.T) {}
