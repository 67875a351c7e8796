package linear

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A store with a mistake fails with the default options.
func TestFlawsAreFound(t *testing.T) {
	t.Parallel()
	for _, f := range flaws {
		t.Run(strings.ReplaceAll(f.does, " ", "_"), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			err := Verify(t.Context(), opened(f.bend), Options{Folder: folder})
			var v *Violation
			if !errors.As(err, &v) {
				t.Fatalf("a store that %s passes: %v", f.does, err)
			}
			if v.Undecided || v.History == "" {
				t.Errorf("no history is shown: %v", v)
			}
			if filepath.Dir(v.Drawing) != folder {
				t.Errorf("the drawing is in %s, want a file in %s", v.Drawing, folder)
			}
			if html, err := os.ReadFile(v.Drawing); err != nil || !strings.Contains(string(html), "<html") {
				t.Errorf("the drawing: %v", err)
			}
			t.Log(v)
		})
	}
}
