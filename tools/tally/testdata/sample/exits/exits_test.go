package exits

import (
	"os"
	"testing"
)

func TestExits(t *testing.T) {
	t.Run("within", func(*testing.T) { os.Exit(1) })
}
