package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
)

func TestFolderIsPrivate(t *testing.T) {
	t.Parallel()
	path, err := config.MakeFolder(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o700 && runtime.GOOS != "windows" {
		t.Errorf("mode %04o, want 0700", mode)
	}
	if again, err := config.MakeFolder(path); err != nil || again != path {
		t.Errorf("an existing folder: %q, %v", again, err)
	}
}
