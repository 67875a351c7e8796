package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nestsession/session/cmd/nestsession/internal/config"
)

func writeFile(t *testing.T, mode fs.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestEnsureSecretMakesOneOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	first, err := config.EnsureSecret(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 1 || len(first[0]) != 64 {
		t.Errorf("made %d secrets of %d characters, want one of 64", len(first), len(first[0]))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	again, err := config.EnsureSecret(path)
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("the second start has another secret (%v)", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".secret-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	other, err := config.EnsureSecret(filepath.Join(t.TempDir(), "secret"))
	if err != nil || slices.Equal(first, other) {
		t.Errorf("two folders have the same secret (%v)", err)
	}
}

func TestConcurrentProcessesReadOneSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	read := make([][]string, 16)
	var wg sync.WaitGroup
	for i := range read {
		wg.Go(func() {
			var err error
			if read[i], err = config.EnsureSecret(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range read {
		if !slices.Equal(read[i], read[0]) {
			t.Fatalf("process %d has another secret than process 0", i)
		}
	}
}

func TestReadSecrets(t *testing.T) {
	t.Parallel()
	got, err := config.ReadSecrets(writeFile(t, 0o600, "new, with a comma\r\n\n  old \n"))
	if want := []string{"new, with a comma", "old"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadSecrets = %q, %v; want %q", got, err, want)
	}
}

func TestASecretFileThatCannotBeUsedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // where files have no such modes
	}
	for name, c := range map[string]struct{ path, want string }{
		"readable by the group": {writeFile(t, 0o640, "secret"), "chmod 600"},
		"readable by all":       {writeFile(t, 0o604, "secret"), "chmod 600"},
		"empty":                 {writeFile(t, 0o600, "\n\n"), "nestsession secret new"},
		"much too long":         {writeFile(t, 0o600, strings.Repeat("x", 1<<20)), "is it the right file?"},
	} {
		_, err := config.EnsureSecret(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want the path and %q", name, err, c.want)
		}
	}
	if _, err := config.ReadSecrets(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestSplitSecrets(t *testing.T) {
	t.Parallel()
	if got, want := config.SplitSecrets(" new,old\n, ,"), []string{"new", "old"}; !slices.Equal(got, want) {
		t.Errorf("SplitSecrets = %q, want %q", got, want)
	}
}

func TestAddSecretPutsOneInFront(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if n, err := config.AddSecret(path); n != 1 || err != nil {
		t.Fatalf("a file that is not there: %d, %v", n, err)
	}
	first, err := config.ReadSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := config.AddSecret(path); n != 2 || err != nil {
		t.Fatalf("AddSecret = %d, %v", n, err)
	}
	both, err := config.ReadSecrets(path)
	if err != nil || len(both) != 2 || both[1] != first[0] || both[0] == first[0] {
		t.Errorf("the file has %d secrets, %v; want the new one, and then the old", len(both), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".secret-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	loose := writeFile(t, 0o644, "a secret that others can read\n")
	if _, err := config.AddSecret(loose); err == nil && runtime.GOOS != "windows" {
		t.Error("a file that others can read was taken")
	}
}

func TestReadPassword(t *testing.T) {
	t.Parallel()
	if got, err := config.ReadPassword(writeFile(t, 0o600, "pass word\n")); got != "pass word" || err != nil {
		t.Errorf("ReadPassword = %q, %v", got, err)
	}
	for text, want := range map[string]string{"": "0 lines", "a\nb\n": "2 lines"} {
		if _, err := config.ReadPassword(writeFile(t, 0o600, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := config.ReadPassword(writeFile(t, 0o640, "secret")); runtime.GOOS != "windows" && (err == nil || !strings.Contains(err.Error(), "chmod 600")) {
		t.Errorf("readable by the group: %v", err)
	}
}
