package skips

import "testing"

func TestSkips(t *testing.T) { t.Skip("the reason to skip") }

func TestRuns(*testing.T) {}
