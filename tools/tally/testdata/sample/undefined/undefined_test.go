package undefined

import "testing"

func TestUndefined(*testing.T) { nobodyHasDefinedThis() }
